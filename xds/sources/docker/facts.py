"""What an engine says of a container, read into values: the only place that knows the engine's documents.

Pure. A document of another shape costs its container (`Unreadable`) or, where the fact is a small one, that fact.
"""

from __future__ import annotations

import ipaddress
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from xds.labels import registrator
from xds.labels.description import Container
from xds.model.instance import Address

DEFAULT_STOP: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})
NO_END: Final = -1  # the engine's exit code for a HEALTHCHECK that it could not run, or not in time
STOP_TIMEOUT: Final = 10.0  # seconds from `docker stop` to SIGKILL where nobody says otherwise


class Unreadable(Exception):
    """A document that is not what an engine says of a container."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A network that a container is in, and its addresses there, IPv4 first."""

    network: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """One container, as its engine knows it. `started` is when it started last: the engine's clock, in microseconds.

    `env` is what of its environment describes it as labels do (`SERVICE_*`); the rest may be secret, and is not kept.
    `mode` is how its network was asked for: a network's name, `default`, `host`, `none` or `container:ID`. `published`
    are the host's addresses that lead to a TCP port of its own. `health` is the HEALTHCHECK's word, "" without one, and
    `ailment` what it printed last where that word is `unhealthy`; `unanswered` that it came to no end.
    `stops_by` are signals that ask it to end, and `patience` the seconds until it is killed for not doing so.
    """

    id: str
    name: str = ""
    image: str = ""
    digest: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    running: bool = False
    paused: bool = False
    started: int = 0
    pid: int = 0
    health: str = ""
    ailment: str = ""
    unanswered: bool = False
    mode: str = "default"
    attachments: tuple[Attachment, ...] = ()
    exposed: tuple[int, ...] = ()
    published: Mapping[int, tuple[Address, ...]] = field(default_factory=dict)
    stops_by: frozenset[int] = DEFAULT_STOP
    patience: float = STOP_TIMEOUT

    @property
    def serves(self) -> bool:
        """Say whether its processes run and are not frozen."""
        return self.running and not self.paused

    @property
    def joins(self) -> str:
        """Return the container whose network it uses, by id or name; "" for one of its own."""
        kind, _, other = self.mode.partition(":")
        return other if kind == "container" else ""

    @property
    def container(self) -> Container:
        """Return what its labels are read with."""
        return Container(
            id=self.id,
            name=self.name,
            image=self.image,
            digest=self.digest,
            ports=self.exposed,
            networks=tuple(each.network for each in self.attachments),
            healthcheck=bool(self.health),
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """A line of the list of containers: enough to see that something changed, not enough to act on it."""

    id: str
    labels: Mapping[str, str]
    mark: str
    name: str = ""
    image: str = ""


def read_facts(said: object) -> Facts:
    """Return what an inspection says; Unreadable where it names no container or no state."""
    whole = _mapping(said)
    state, config, host = (_mapping(whole.get(name)) for name in ("State", "Config", "HostConfig"))
    network = _mapping(whole.get("NetworkSettings"))
    identity = whole.get("Id")
    if not isinstance(identity, str) or not identity or not isinstance(state.get("Running"), bool):
        raise Unreadable("the engine's answer is not about a container")
    health, ailment, code = _health(_mapping(state.get("Health")))
    stop, patience = _signal(_text(config.get("StopSignal"))), config.get("StopTimeout")
    return Facts(
        id=identity,
        name=_text(whole.get("Name")).lstrip("/"),
        image=_text(config.get("Image")),
        digest=_text(whole.get("Image")),
        labels=_labels(config.get("Labels")),
        env=_described_by(config.get("Env")),
        running=state["Running"] is True and state.get("Restarting") is not True,
        paused=state.get("Paused") is True,
        started=_micros(_text(state.get("StartedAt"))),
        pid=_number(state.get("Pid")),
        health=health,
        ailment=ailment,
        unanswered=code == NO_END,
        mode=_text(host.get("NetworkMode")) or "default",
        attachments=_attachments(network.get("Networks")),
        exposed=tuple(sorted(filter(None, map(_tcp, _mapping(config.get("ExposedPorts")))))),
        published=_published(network.get("Ports")),
        stops_by=DEFAULT_STOP | ({stop} if stop else set()),
        patience=float(patience) if isinstance(patience, int) and patience >= 0 else STOP_TIMEOUT,
    )


def read_summaries(said: object) -> list[Summary]:
    """Return the lines of a listing; Unreadable for what is no list. A line that is none is left out."""
    if not isinstance(said, list):
        raise Unreadable("the engine's list of containers is not a list")
    found = []
    for line in map(_mapping, said):
        identity = line.get("Id")
        if isinstance(identity, str) and identity:
            health = _text(line.get("Status")).partition("(")[2]
            networks = _attachments(_mapping(line.get("NetworkSettings")).get("Networks"))
            names = line.get("Names")
            mark = repr((line.get("State"), health, names, networks))
            name = _text(names[0]).lstrip("/") if isinstance(names, list) and names else ""
            found.append(Summary(identity, _labels(line.get("Labels")), mark, name, _text(line.get("Image"))))
    return found


def _health(said: Mapping[str, object]) -> tuple[str, str, object]:
    """Return the HEALTHCHECK's word, and of one that is ill the last output (one line of it) and exit code."""
    word, log = _text(said.get("Status")), said.get("Log")
    if word != "unhealthy":
        return "" if word == "none" else word, "", 0
    last = _mapping(log[-1]) if isinstance(log, list) and log else {}
    output = next(filter(None, map(str.strip, _text(last.get("Output")).splitlines())), "")
    return word, output, last.get("ExitCode")


def _attachments(said: object) -> tuple[Attachment, ...]:
    found = []
    for name, network in sorted(_mapping(said).items()):
        known = _mapping(network)
        addresses = (_address(known.get("IPAddress")), _address(known.get("GlobalIPv6Address")))
        found.append(Attachment(name, tuple(filter(None, addresses))))
    return tuple(found)


def _published(said: object) -> dict[int, tuple[Address, ...]]:
    found: dict[int, tuple[Address, ...]] = {}
    for name, bindings in _mapping(said).items():
        inside = _tcp(name)
        if inside and isinstance(bindings, list):
            read = [(_text(each.get("HostIp")), _text(each.get("HostPort"))) for each in map(_mapping, bindings)]
            found[inside] = tuple(
                Address(_address(host) or "0.0.0.0", int(port))  # noqa: S104 - what the engine calls every address
                for host, port in read
                if port.isascii() and port.isdigit() and 0 < int(port) < 65_536
            )
    return {inside: places for inside, places in found.items() if places}


def _tcp(name: str) -> int:
    """Return the number of `8080/tcp`; 0 for another protocol."""
    number, _, protocol = name.partition("/")
    return int(number) if protocol in {"tcp", ""} and number.isascii() and number.isdigit() else 0


def _address(said: object) -> str:
    try:
        return str(ipaddress.ip_address(_text(said)))
    except ValueError:
        return ""


def _labels(said: object) -> dict[str, str]:
    return {key: value for key, value in _mapping(said).items() if isinstance(value, str)}


def _described_by(said: object) -> dict[str, str]:
    lines = (line.partition("=") for line in said if isinstance(line, str)) if isinstance(said, list) else ()
    return {name: value for name, _, value in lines if name.startswith(registrator.PREFIX)}


def _micros(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0, int(aware.timestamp() * 1_000_000))


def _signal(text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    name = text.upper() if text.upper().startswith("SIG") else f"SIG{text.upper()}"
    return int(signal.Signals[name]) if name in signal.Signals.__members__ else 0


def _mapping(said: object) -> Mapping[str, object]:
    return said if isinstance(said, dict) else {}


def _text(said: object) -> str:
    return said if isinstance(said, str) else ""


def _number(said: object) -> int:
    return said if isinstance(said, int) and not isinstance(said, bool) else 0
