"""A TCP connection through a network filter: its callbacks in Envoy's order, and the bytes that leave on each side."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from xds.proxywasm.abi import Action, Buffer, Peer, StreamType
from xds.proxywasm.contexts import Context, LocalReply
from xds.proxywasm.machine import Machine
from xds.proxywasm.properties import Value, encoded_all


@dataclass(slots=True)
class Side:
    """Bytes from one side: what was sent on, and what is held. `closed` says who ended it, None while it is open."""

    sent: bytearray = field(default_factory=bytearray)
    held: bytearray = field(default_factory=bytearray)
    paused: bool = False
    closed: Peer | None = None


class Connection:
    """One connection. Made by `Plugin.connection`; `finish` it, or use it as a context manager. Failures raise Trapped.

    A filter that pauses on a new connection sees its first bytes only after it went on; one that pauses on data is
    shown all that is held with the next bytes.
    """

    def __init__(self, machine: Machine, root: int, everywhere: Mapping[bytes, bytes]) -> None:
        self.properties: MutableMapping[bytes, bytes] = {}
        self.downstream = Side()
        self.upstream = Side()
        self.context = Context(root, self, self._find)
        self._machine = machine
        self._everywhere = everywhere
        self._opening = False
        self._finished = False
        self.id = machine.open(self.context)
        machine.run(self.id, "proxy_on_context_create", root)

    def set(self, properties: Mapping[str, Value]) -> None:
        """Sets properties from now on, by paths with dots."""
        self.properties.update(encoded_all(properties))

    def open(self) -> bool:
        """The connection is there; False where the filter holds it."""

        def then(action: int) -> None:
            self._opening = action != Action.CONTINUE

        self._machine.run(self.id, "proxy_on_new_connection", then=then)
        return not self._opening

    def downstream_data(self, data: bytes, *, end: bool = False) -> bytes:
        """Bytes from the client; returns what goes on to the upstream now."""
        return self._data(self.downstream, Buffer.DOWNSTREAM, "proxy_on_downstream_data", data, end=end)

    def upstream_data(self, data: bytes, *, end: bool = False) -> bytes:
        """Bytes from the upstream; returns what goes on to the client now."""
        return self._data(self.upstream, Buffer.UPSTREAM, "proxy_on_upstream_data", data, end=end)

    def _data(self, side: Side, buffer: Buffer, name: str, data: bytes, *, end: bool) -> bytes:
        if side.closed is not None:
            return b""
        side.held += data
        if len(side.held) > self._machine.limits.body_bytes:
            self._close(side)
            return b""
        if side is self.downstream and self._opening:
            return b""
        before = len(side.sent)
        self.context.buffers[buffer] = side.held

        def then(action: int) -> None:
            side.paused = self.context.stopping or action != Action.CONTINUE
            self.context.buffers.pop(buffer, None)
            if not side.paused:
                _pass_on(side)

        self._machine.run(self.id, name, len(side.held), int(end), then=then)
        return bytes(side.sent[before:])

    def close_downstream(self, peer: Peer = Peer.REMOTE) -> None:
        """The client's side is closed, by `peer`."""
        self.downstream.closed = peer
        self._machine.run(self.id, "proxy_on_downstream_connection_close", peer)

    def close_upstream(self, peer: Peer = Peer.REMOTE) -> None:
        """The upstream's side is closed, by `peer`."""
        self.upstream.closed = peer
        self._machine.run(self.id, "proxy_on_upstream_connection_close", peer)

    def finish(self) -> None:
        """Logs and deletes the connection. A second call does nothing."""
        if self._finished:
            return
        self._finished = True
        self.context.logging = True
        try:
            for name in ("proxy_on_log", "proxy_on_done", "proxy_on_delete"):
                self._machine.run(self.id, name)
        finally:
            self._machine.contexts.pop(self.id, None)

    def resume(self, kind: StreamType) -> None:
        """The filter goes on with a side; bytes that came while it held a new connection are shown to it then."""
        if kind is StreamType.DOWNSTREAM and self._opening:
            self._opening = False
            if self.downstream.held:
                self.downstream_data(b"")
        elif kind is StreamType.DOWNSTREAM:
            _pass_on(self.downstream)
        elif kind is StreamType.UPSTREAM:
            _pass_on(self.upstream)

    def reset(self, kind: StreamType) -> None:
        """The filter closes a side."""
        self.context.stopping = False
        self._close(self.upstream if kind is StreamType.UPSTREAM else self.downstream)

    def reply(self, answer: LocalReply) -> None:  # noqa: ARG002 - there is no HTTP here to answer in
        """A local reply means nothing on a connection."""
        self.context.stopping = False

    def broken(self) -> None:
        """The machine has failed; whoever uses the connection next is told."""

    def _close(self, side: Side) -> None:
        side.closed = Peer.LOCAL
        side.held.clear()

    def _find(self, path: bytes) -> bytes | None:
        found = self.properties.get(path)
        return self._everywhere.get(path) if found is None else found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()


def _pass_on(side: Side) -> None:
    side.paused = False
    side.sent += side.held
    side.held.clear()
