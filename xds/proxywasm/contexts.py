"""What one machine holds on the host's side: its contexts, its log, and what its contexts share.

A context is a root (one configured plugin) or a stream (one request). The module knows values only; the host calls
that read and change them are in `calls`, `headers` and `shared`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from xds.proxywasm.abi import Buffer, HeaderMap, LogLevel, MetricType
from xds.proxywasm.pairs import Pairs

ROOT: Final = 1
"""Id of the only root context that this host makes."""
MOST_LOG_LINES: Final = 1_000
LONGEST_LOG_LINE: Final = 4_096


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that the guest logged."""

    level: LogLevel
    text: str


@dataclass(frozen=True, slots=True)
class LocalResponse:
    """An answer that the guest gave instead of the upstream."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]


@dataclass(slots=True)
class Context:
    """What the host calls of one context see. A map or buffer that is absent is not readable in this phase."""

    maps: dict[HeaderMap, Pairs] = field(default_factory=dict)
    buffers: dict[Buffer, bytes] = field(default_factory=dict)
    properties: dict[bytes, bytes] = field(default_factory=dict)
    local_response: LocalResponse | None = None
    tick_ms: int = 0


@dataclass(slots=True)
class Metric:
    """A metric that the guest defined."""

    kind: MetricType
    name: str
    value: int = 0


@dataclass(slots=True)
class Machine:
    """One instance's state on the host's side. `now_ns` tells wall time in nanoseconds."""

    now_ns: Callable[[], int]
    random: Callable[[int], bytes]
    properties: Mapping[bytes, bytes]
    contexts: dict[int, Context] = field(default_factory=dict)
    current: int = ROOT
    log: list[LogLine] = field(default_factory=list)
    calls: dict[str, int] = field(default_factory=dict)
    shared_data: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)
    queues: list[tuple[bytes, list[bytes]]] = field(default_factory=list)
    metrics: list[Metric] = field(default_factory=list)

    @property
    def context(self) -> Context:
        """The context that host calls act on now."""
        return self.contexts.setdefault(self.current, Context())

    def say(self, level: LogLevel, text: bytes) -> None:
        """Keeps a log line; the ones beyond the limit are dropped."""
        if len(self.log) < MOST_LOG_LINES:
            line = text[:LONGEST_LOG_LINE].decode("utf-8", "replace")
            self.log.append(LogLine(level, line))
