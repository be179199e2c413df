"""Where a container can be reached, for each network mode: candidates in order, and why the others are none.

Pure. Which candidate it is, is proven by asking (`probing.py`); nothing here guesses. The host's own address is only
ever used where the container says so: it is in the host's network, or a port of it is published.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from xds.labels.description import Description
from xds.labels.values import ADDRESSES
from xds.model.instance import Address
from xds.net.targets import PRIVATE, BlockedTarget, Targets
from xds.sources.docker.facts import Attachment, Facts

LOOPBACK: Final = "127.0.0.1"
_BRIDGE: Final = "bridge"
_BEYOND: Final = Targets(PRIVATE)  # where containers may be said to be: anywhere but on loopback
_CHECK: Final = "/check"
_INGRESS: Final = "/ingress"
"""Where the ports of its check and its sidecar stand among the others; no port can be called that."""


@dataclass(frozen=True, slots=True)
class Standpoint:
    """From where Envoys look. `remote`: from other hosts, which reach no container's own address.

    `host` is this host's address as they know it; without one it is loopback, which serves Envoys on this host.
    `networks` are those that Envoys share: they go first.
    """

    host: str = LOOPBACK
    remote: bool = False
    networks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """An address that may lead to a container, the ports that do so there, and the way in words.

    `asked` is where its check goes, `ingress` where its sidecar listens: then nobody else has to reach the first port.
    Where it is `relayed`, the engine's proxy accepts connections whether anybody listens behind it or not.
    """

    address: str
    ports: Mapping[str, int]
    way: str
    asked: Address
    ingress: Address | None = None
    relayed: bool = False

    @property
    def ends(self) -> dict[str, Address]:
        """Return where Envoys are sent, by the name of the port."""
        ends = {name: Address(self.address, number) for name, number in self.ports.items()}
        return ends if self.ingress is None else ends | {next(iter(ends)): self.ingress}


@dataclass(frozen=True, slots=True)
class Places:
    """Where a container may be found, best first, and what was ruled out before asking."""

    candidates: tuple[Candidate, ...] = ()
    rejected: tuple[str, ...] = ()


@dataclass(slots=True)
class _Search:
    """One container's places as they are found; `owner` is whoever the network namespace belongs to."""

    said: Description
    owner: Facts
    stand: Standpoint
    found: list[Candidate] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)

    def add(self, address: str, way: str, ports: Mapping[str, int] | None = None) -> None:
        ways = dict(self.wanted if ports is None else ports)
        check, ingress = ways.pop(_CHECK, 0), self.said.ingress
        if ingress is not None:
            ingress = ingress if ingress.host else Address(address, ways.pop(_INGRESS))
            way = f"{way}, its sidecar on port {ingress.port}"
        own, number = next(iter(self.said.ports.items()))
        ways = {own: number} | ways
        asked = Address(address, check) if check else ingress or Address(address, ways[own])
        self.found.append(Candidate(address, ways, way, asked, ingress, relayed=ports is not None))

    @property
    def wanted(self) -> dict[str, int]:
        """Return the ports that have to be reachable: its sidecar's or its own, its others', and its check's."""
        own, *others = self.said.ports.items()
        check, ingress = self.said.check, self.said.ingress
        first = dict([own]) if ingress is None else {} if ingress.host else {_INGRESS: ingress.port}
        return first | dict(others) | ({} if check is None or check.port is None else {_CHECK: check.port})

    def sidecar(self) -> None:
        """Its sidecar's address is said, and nothing else of it has to be reached: any address of its own will do."""
        attached = _ordered(self.owner.attachments, self.stand.networks)
        own = next((address for each in attached for address in each.addresses), self.stand.host)
        self.add(own, "fairlead.ingress")

    def reject(self, what: str, why: str) -> None:
        self.rejected.append(f"{what}: {why}")

    def container(self) -> None:
        if self.stand.remote and self.said.address != "container":
            self.reject("its own address", "Envoys are on other hosts, which do not reach it")
            return
        for each in _ordered(self.owner.attachments, self.stand.networks):
            if self.said.network and each.network != self.said.network:
                self.reject(f"network {each.network}", f"fairlead.network says {self.said.network}")
            elif not each.addresses:
                self.reject(f"network {each.network}", "it has no address there")
            for address in each.addresses if self.said.network in {"", each.network} else ():
                self.add(address, f"network {each.network}")

    def published(self) -> None:
        first, *others = self.wanted.items()
        places = self.owner.published.get(first[1], ())
        if not places:
            self.reject("published", f"port {first[1]} is not")
        for place in places:
            host, why = _host_of(place, self.stand)
            ports, missing = {first[0]: place.port}, ""
            for name, number in others:
                along = next((p for p in self.owner.published.get(number, ()) if p.host == place.host), None)
                if along is None:
                    what = "the port of its check" if name == _CHECK else f"its port {name}"
                    missing = missing or f"{what} ({number}) is not published there, too"
                else:
                    ports[name] = along.port
            if why or missing:
                self.reject(f"published on {place}", why or missing)
            else:
                self.add(host, f"published on {place}", ports)

    def host(self) -> None:
        if self.owner.mode == "host":
            self.add(self.stand.host, "the host's network")
        else:
            self.reject("the host's address", "it is not in the host's network")


def places(said: Description, facts: Facts, owner: Facts | None, stand: Standpoint) -> Places:
    """Return where to look for a container; `owner` is the one whose network it joined, None if that is not there."""
    if facts.joins and (owner is None or not owner.running):
        return Places((), (f"network of {facts.joins[:12]}: that container does not run",))
    search = _Search(said, owner if facts.joins and owner is not None else facts, stand)
    ways: dict[str, Callable[[], None]] = {
        "container": search.container,
        "published": search.published,
        "host": search.host,
    }
    mode = search.owner.mode
    if mode != "host" and (why := _on_loopback(said)):
        return Places((), (why,))
    if said.address == "auto" and not search.wanted:
        search.sidecar()
    elif said.address in ways:
        ways[said.address]()
    elif said.address != "auto":
        search.add(said.address, "fairlead.address")
    elif mode == "host":
        search.host()
    elif mode == "none":
        search.reject("any address", "it has no network")
    else:
        search.container()
        if said.network:
            search.reject("published", f"fairlead.network says {said.network}")
        else:
            search.published()
    return Places(tuple(_unique(search.found)), tuple(search.rejected))


def _on_loopback(said: Description) -> str:
    """Return which label names loopback, where the host's own programs listen: an Envoy's admin, a control plane."""
    named = {"address": "" if said.address in ADDRESSES else said.address}
    named["ingress"] = said.ingress.host if said.ingress else ""
    for key, host in named.items():
        try:
            if host:
                _BEYOND.check(host)
        except BlockedTarget as blocked:
            return f"fairlead.{key}: {blocked}, and it is not in the host's network"
    return ""


def mapped_for_own(said: Description, facts: Facts) -> str:
    """Return what is wrong where a label names the port of the host in place of the container's own; else nothing."""
    ingress = {} if said.ingress is None or said.ingress.host else {"ingress": said.ingress.port}
    for name, number in (dict(said.ports) | ingress).items():
        for inside, outside in sorted(facts.published.items()):
            if number != inside and any(place.port == number for place in outside):
                return (
                    f"port {name} is {number}, which is the host's; inside the container it is {inside} "
                    f"(published {number} to {inside})"
                )
    return ""


def _ordered(attachments: Iterable[Attachment], shared: tuple[str, ...]) -> list[Attachment]:
    """Return the networks that Envoys share first, as they were named; the engine's default bridge comes last."""

    def rank(each: Attachment) -> tuple[int, bool, str]:
        at = shared.index(each.network) if each.network in shared else len(shared)
        return at, each.network == _BRIDGE, each.network

    return sorted(attachments, key=rank)


def _host_of(place: Address, stand: Standpoint) -> tuple[str, str]:
    """Return the address by which a published port is reached, or why it is not."""
    bound = ipaddress.ip_address(place.host)
    if bound.is_unspecified:
        if bound.version != ipaddress.ip_address(stand.host).version:
            return "", "it is the other family of this host's address"
        return stand.host, ""
    if bound.is_loopback and stand.remote:
        return "", "on loopback only, and Envoys are on other hosts"
    return place.host, ""


def _unique(found: Iterable[Candidate]) -> Iterable[Candidate]:
    """Return candidates without those that lead to the same place as an earlier one."""
    seen = set()
    for each in found:
        key = (each.address, tuple(each.ends.items()))
        if key not in seen:
            seen.add(key)
            yield each
