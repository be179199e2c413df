"""What a context sees: its header maps, buffers and properties, as values.

A context is a root (one configured plugin), a stream (one request) or a connection. Which maps and buffers it has
depends on the phase: the parts that drive callbacks (`stream`, `connection`, `plugin`) put them in and take them out.
The host calls that read and change them are in `calls` and `headers`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from xds.proxywasm.abi import Buffer, HeaderMap, LogLevel, StreamType
from xds.proxywasm.pairs import Pairs


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that the guest logged."""

    level: LogLevel
    text: str


@dataclass(frozen=True, slots=True)
class LocalReply:
    """An answer that the guest gave instead of the upstream. `grpc_status` is None where it named none."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    details: str = ""
    grpc_status: int | None = None


class Flow(Protocol):
    """What a guest may do to the stream or connection of a context. Called after its callback has returned."""

    def resume(self, kind: StreamType) -> None:
        """Go on where the guest paused."""

    def reset(self, kind: StreamType) -> None:
        """End the stream, or close the connection, without an answer."""

    def reply(self, answer: LocalReply) -> None:
        """Answer instead of the upstream."""

    def broken(self) -> None:
        """The machine has failed, perhaps on behalf of another stream."""


PropertySource = Callable[[bytes], "bytes | None"]
"""Path, its parts joined by zero bytes -> encoded value, None where there is none."""


def no_property(_: bytes) -> bytes | None:
    """A source that knows nothing."""
    return None


@dataclass(slots=True)
class Context:
    """What the host calls of one context see. A map or buffer that is absent is not readable in this phase.

    A buffer of type bytes cannot be written. `flow` is None for a root, `status` what `proxy_get_status` answers, and
    `tick_ms` with `tick_due_ns` the timer of a root.
    """

    root: int
    flow: Flow | None = None
    find_property: PropertySource = no_property
    maps: dict[HeaderMap, Pairs] = field(default_factory=dict)
    buffers: dict[Buffer, bytes | bytearray] = field(default_factory=dict)
    filter_state: dict[bytes, bytes] = field(default_factory=dict)
    status: tuple[int, bytes] = (0, b"")
    tick_ms: int = 0
    tick_due_ns: int = 0
    logging: bool = False
    stopping: bool = False
    route_cleared: bool = False
    on_done: Callable[[], None] | None = None
