"""A check: how the control plane asks one instance whether it can serve, and how many answers make a verdict.

It knows what to ask and when an answer counts; sockets, clocks and chance are known elsewhere. A check always goes to
its instance's own address: a registration can choose a port and a path, never another host.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from xds.model.problems import InvalidInput

FAST_PERIOD = 0.1
FAST_DEADLINE = 0.25
MIN_INTERVAL = 1.0
MAX_INTERVAL = 3600.0
MIN_TIMEOUT = 0.05
DEFAULT_TIMEOUT = 2.0
MAX_COUNT = 100
MAX_START = 3600.0

_PATH = re.compile(r"/[!-~]{0,1023}\Z")  # what fits a request line: no space, no control character, no other script
_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]{0,255}\Z")
_SERVICE = re.compile(r"[A-Za-z0-9._/-]{0,255}\Z")


class CheckKind(StrEnum):
    """What is asked: a 2xx answer, a connection, `SERVING` of grpc.health.v1, or a heartbeat of its own in time."""

    HTTP = "http"
    TCP = "tcp"
    GRPC = "grpc"
    TTL = "ttl"


@dataclass(frozen=True, slots=True)
class Check:
    """How one instance is checked; seconds and counts.

    `port` is where, None for the instance's own first port. `path` and `host` (its Host header) belong to HTTP,
    `service` to gRPC. `rise` good answers in a row make it healthy, also for the first time: until then it gets no
    request at all; `fall` bad ones make it unhealthy. `timeout` None is two seconds, at most the interval. `fast` asks
    every 100 ms in place of `interval`, and gives each answer 250 ms. Within `start_period` nobody is alarmed because
    it is not ready yet. `tls` asks over TLS, whoever the certificate is made out to. For TTL, `interval` is within what
    a heartbeat has to come.
    """

    kind: CheckKind
    port: int | None = None
    path: str = "/"
    host: str = ""
    service: str = ""
    interval: float = 5.0
    timeout: float | None = None
    rise: int = 2
    fall: int = 3
    start_period: float = 60.0
    fast: bool = False
    tls: bool = False

    def __post_init__(self) -> None:
        """Refuse what could not be asked, or would ask too often, with a pointer to the field."""
        if self.port is not None and (isinstance(self.port, bool) or not 1 <= self.port <= 65_535):
            raise InvalidInput(f"port {self.port} is not between 1 and 65535", pointer="/port")
        _fits(_PATH, self.path, "path", "a path that begins with '/', in printable ASCII without spaces")
        _fits(_HOST, self.host, "host", "a host name, with a port or without")
        _fits(_SERVICE, self.service, "service", "the full name of a gRPC service")
        _between(self.interval, MIN_INTERVAL, MAX_INTERVAL, "interval")
        if self.timeout is not None:
            _between(self.timeout, MIN_TIMEOUT, self.interval, "timeout")
        _between(self.start_period, 0.0, MAX_START, "start_period")
        for name in ("rise", "fall"):
            count = getattr(self, name)
            if isinstance(count, bool) or not 1 <= count <= MAX_COUNT:
                raise InvalidInput(f"{name} {count} is not between 1 and {MAX_COUNT}", pointer=f"/{name}")
        if self.fast and self.kind is CheckKind.TTL:
            raise InvalidInput("a heartbeat is waited for, it cannot be fast", pointer="/fast")

    @property
    def period(self) -> float:
        """Return the seconds from one question to the next."""
        return FAST_PERIOD if self.fast else self.interval

    @property
    def deadline(self) -> float:
        """Return the seconds that a whole answer may take, from the first packet to the last."""
        if self.timeout is not None:
            return self.timeout
        return FAST_DEADLINE if self.fast else min(DEFAULT_TIMEOUT, self.interval)


def _fits(shape: re.Pattern[str], text: str, name: str, wanted: str) -> None:
    if not shape.match(text):
        raise InvalidInput(f"{text[:64]!r} is not {wanted}", pointer=f"/{name}")


def _between(value: float, least: float, most: float, name: str) -> None:
    if not least <= value <= most:  # NaN fails both comparisons
        raise InvalidInput(f"{name} {value:g} is not between {least:g} and {most:g} seconds", pointer=f"/{name}")
