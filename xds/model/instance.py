"""An instance: one process that serves, and everything it says about itself.

The value is what a registration declares; what is observed about it (its health, its lease) lives beside it in
the intent, so that an observation never rewrites a declaration.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, make_dataclass
from operator import attrgetter
from typing import Any

from xds.model.check import Check
from xds.model.labels import check_labels, escape
from xds.model.names import DEFAULT_ENV, ServiceKey, check_id
from xds.model.problems import InvalidInput

DEFAULT_PORT = "default"
DEFAULT_VERSION = "unversioned"
DEFAULT_WEIGHT = 100
MAX_WEIGHT = 10_000
MAX_PORTS = 32
MIN_TTL = 1.0
MAX_TTL = 3600.0
MAX_COUNT = 2**63 - 1  # what an epoch or seq may reach: a store's integer

_SEPARATORS = re.compile(r"[^a-z0-9]")
_HOST_PORT = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<host>[^:\[\]]+)):(?P<port>[0-9]{1,5})\Z")


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """An IP address (v4 or v6, never a name) and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return `host:port`, with the brackets that IPv6 needs."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str, *, pointer: str) -> Address:
        """Read `1.2.3.4:80` or `[::1]:80`; InvalidInput at `pointer` otherwise."""
        host, port = split_address(text, pointer=pointer)
        return cls(check_host(host, pointer=pointer), port)


def split_address(text: str, *, pointer: str) -> tuple[str, int]:
    """Return host and port of `host:port`; a host with colons has to stand in brackets. The host is not looked at."""
    found = _HOST_PORT.match(text)
    if not found:
        shown = text[:64]
        raise InvalidInput(
            f"{shown!r} is not an address with a port, as in 10.0.0.7:8080 or [::1]:8080", pointer=pointer
        )
    return found["v6"] or found["host"], check_port(int(found["port"]), pointer=pointer)


def derived_id(service: str, env: str, address: str, port: int) -> str:
    """Return `web-10-0-0-7-8080`; another environment than the default stands behind the service's name."""
    place = service if env == DEFAULT_ENV else f"{service}.{env}"
    return f"{place}-{_SEPARATORS.sub('-', address.lower())}-{port}"


@functools.lru_cache(maxsize=8192)  # half of what an instance's checks cost, and a registration makes it three times
def check_host(text: str, *, pointer: str) -> str:
    """Return the canonical spelling of an IP address that traffic can be sent to."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise InvalidInput(f"{text[:64]!r} is not an IPv4 or IPv6 address", pointer=pointer) from None
    if getattr(address, "scope_id", None) is not None:
        raise InvalidInput(f"{text}: a zone id means something on one host only", pointer=pointer)
    if address.is_unspecified or address.is_multicast:
        raise InvalidInput(f"{text} is not an address that one host has", pointer=pointer)
    return str(address)


def check_port(number: int, *, pointer: str) -> int:
    """Return a port from 1 to 65535; InvalidInput at `pointer` otherwise."""
    if isinstance(number, bool) or not 1 <= number <= 65_535:
        raise InvalidInput(f"port {number} is not between 1 and 65535", pointer=pointer)
    return number


@dataclass(frozen=True, slots=True)
class Instance:
    """One process that serves `service` at `address`.

    `ports` maps port names to numbers and has at least one entry; the first is the service's own, every other
    one is reached as the service `<service>.<port name>`. `weight` is relative inside the instance's version; 0
    takes it out of traffic. `ingress` is where its sidecar listens; Envoys are then sent there. `ttl` is the
    lease in seconds, None for an instance that is removed by word only. `check` is how the control plane asks
    whether it can serve; with one, it gets no request before it is ready. `epoch` counts incarnations, `seq`
    the messages of one: whatever is older than what is known is refused. `start` is what tells this process from the
    one before it, in words of its own ("" for an instance that does not say): another one begins a new epoch.
    `declared` is what a set of files declared of its facts, beside what it says itself (see `drift`), None without.
    """

    id: str
    service: ServiceKey
    address: str
    ports: Mapping[str, int]
    version: str = DEFAULT_VERSION
    weight: int = DEFAULT_WEIGHT
    region: str = ""
    zone: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    ingress: Address | None = None
    ttl: float | None = None
    check: Check | None = None
    epoch: int = 0
    seq: int = 0
    start: str = ""
    owner: str = ""
    declared: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        """Refuse what could never be routed to, with a pointer to the field."""
        check_id(self.id, pointer="/id")
        check_id(self.version, pointer="/version", what="version")
        check_host(self.address, pointer="/address")
        self._check_ports()
        if isinstance(self.weight, bool) or not 0 <= self.weight <= MAX_WEIGHT:
            raise InvalidInput(f"weight {self.weight} is not between 0 and {MAX_WEIGHT}", pointer="/weight")
        if self.ttl is not None and not MIN_TTL <= self.ttl <= MAX_TTL:  # NaN fails both comparisons
            raise InvalidInput(f"ttl {self.ttl} is not between {MIN_TTL:g} and {MAX_TTL:g} seconds", pointer="/ttl")
        for name in ("epoch", "seq"):
            if not 0 <= getattr(self, name) <= MAX_COUNT:
                raise InvalidInput(f"{name} is not between 0 and {MAX_COUNT}", pointer=f"/{name}")
        for name in ("region", "zone", "start"):
            if value := getattr(self, name):
                check_id(value, pointer=f"/{name}", what=name)
        check_labels(self.labels)
        check_labels(self.metadata, pointer="/metadata")

    def _check_ports(self) -> None:
        if not 1 <= len(self.ports) <= MAX_PORTS:
            raise InvalidInput(f"{len(self.ports)} ports, from 1 to {MAX_PORTS} are allowed", pointer="/ports")
        for name, number in self.ports.items():
            at = f"/ports/{escape(name[:64])}"
            check_id(name, pointer=at, what="port name")
            check_port(number, pointer=at)

    def numbered(self, epoch: int, seq: int) -> Instance:
        """Return the same at another epoch and seq, which have been checked."""
        values = list(_values(self))
        values[_EPOCH], values[_SEQ] = epoch, seq
        return trusted(*values)

    @property
    def facts(self) -> dict[str, str]:
        """Return what selectors see: the labels, and over them the fields that have a name of their own."""
        own = {"service": self.service.name, "env": self.service.env, "version": self.version, "id": self.id}
        if self.region:
            own["region"] = self.region
        if self.zone:
            own["zone"] = self.zone
        return {**self.labels, **own}

    def fact(self, key: str) -> str | None:
        """Return one of the `facts`, or None."""
        match key:
            case "service":
                return self.service.name
            case "env":
                return self.service.env
            case "version":
                return self.version
            case "id":
                return self.id
            case "region" | "zone" if found := self.region if key == "region" else self.zone:
                return found
        return self.labels.get(key)

    def endpoint(self, port: str) -> Address | None:
        """Return where Envoy sends traffic for `port`, or None when this instance has no such port."""
        number = self.ports.get(port)
        if number is None:
            return None
        if self.ingress is not None and port == next(iter(self.ports)):
            return self.ingress
        return Address(self.address, number)


_FIELDS = tuple(each.name for each in fields(Instance))
_values = attrgetter(*_FIELDS)
_EPOCH, _SEQ = _FIELDS.index("epoch"), _FIELDS.index("seq")


def trusted(*values: object) -> Instance:
    """Return an instance of `values`, in the order of the fields, that have been checked; the rest are defaults.

    Thousands are made in a second, and a frozen dataclass sets each field with a call. One of the same slots that is
    not frozen sets them at once, and then becomes an instance.
    """
    made: Any = _Unfrozen(*values)  # Any: an instance in a moment
    made.__class__ = Instance
    found: Instance = made
    return found


_Unfrozen = make_dataclass(
    "_Unfrozen",
    [
        (each.name, object, field(default=each.default, default_factory=each.default_factory))
        for each in fields(Instance)
    ],
    slots=True,
)
