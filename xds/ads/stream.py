"""One ADS stream: a task that reads and a task that writes, joined by a bell and a session.

The reader turns bytes into requests; the writer wakes, pulls the latest snapshot and writes what is owed. There is no
queue between them and none before the client: a slow one costs its own dirty names. Decides nothing about xDS
(`xds.protocol`) or groups.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Protocol

import grpc.aio
from envoy_data_plane.envoy.config.core.v3 import Node as WireNode

from xds.cache.group import Group
from xds.cache.roster import Roster
from xds.cache.snapshot import Snapshot
from xds.cache.table import Cache
from xds.cache.typestate import Node
from xds.model.problems import FairleadError, PeerError, Unavailable
from xds.protocol.exchange import Exchange, R
from xds.protocol.requests import Answer, Event, Outgoing
from xds.protocol.session import Offer, Session
from xds.wire.types import ResourceType

from .decode import node_of
from .settings import AdsSettings

_log = logging.getLogger("xds.ads")

Assign = Callable[[Node], Awaitable[Group]]
"""Names a node's group, and returns only when its resources are published. PeerError refuses the node."""


class Call(Protocol):
    """What a stream needs of grpc.aio's servicer context."""

    async def read(self) -> object:
        """Return the next message, or a value that is no bytes at the end."""
        ...

    async def write(self, message: bytes) -> None:
        """Return when the message was accepted by flow control."""
        ...

    def peer(self) -> str:
        """Return the client's address."""
        ...


class SlowReader(FairleadError):
    """A client did not take a response within the write deadline."""

    slug = "slow_reader"


class ClientGone(Exception):
    """The connection broke under a write, which gRPC tells a moment before it cancels the call."""


@dataclass(frozen=True, slots=True)
class Protocols(Generic[R]):
    """Which of the two protocols a stream speaks: how its requests are read, how a type's state is made."""

    name: str
    decode: Callable[[bytes, int], tuple[R, WireNode | None]]
    exchange: Callable[[ResourceType], Exchange[R]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What all streams of a server share."""

    cache: Cache
    roster: Roster
    assign: Assign
    clock: Callable[[], float]
    settings: AdsSettings


class Stream(Generic[R]):
    """One stream from its first request to its end.

    `run` returns when the client is done and raises when it must end.
    """

    def __init__(self, number: int, call: Call, protocol: Protocols[R], parts: Parts) -> None:
        self._number = number
        self._call = call
        self._protocol: Protocols[R] = protocol
        self._parts = parts
        self._node: Node | None = None
        self._draining = False
        self._bell = parts.cache.subscribe()

    @property
    def node_id(self) -> str:
        """Return the client's node id, "" until it said who it is."""
        return self._node.id if self._node is not None else ""

    def drain(self) -> None:
        """End the stream with UNAVAILABLE, so that the client comes back, here or elsewhere."""
        self._draining = True
        self._bell.ring()

    async def run(self) -> None:
        """Serve the client. Raises FairleadError (say it to the client), or CancelledError when the client is gone."""
        try:
            self._latest()
            data = await self._call.read()
            if not isinstance(data, bytes):
                return
            request, wire = self._decode(data)
            self._node = node_of(wire, self._call.peer())
            group = await self._parts.assign(self._node)
            self._latest()
            patience = self._parts.settings.gate_patience
            await self._serve(Session(group, self._protocol.exchange, patience=patience), request)
        finally:
            self._bell.close()

    async def _serve(self, session: Session[R], first: R) -> None:
        assert self._node is not None  # noqa: S101 - run() read it from the first request
        roster, clock = self._parts.roster, self._parts.clock
        roster.opened(self._number, self._node, session.group, clock())
        _log.info("stream opened", extra=self._facts(group=session.group.id, peer=self._node.peer))
        try:
            self._receive(session, first)
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write(session))
                await self._read(session)
                writer.cancel()
        except ExceptionGroup as group:
            # One of the two tasks failed and took the other along: its reason is the stream's.
            raise group.exceptions[0] from None
        finally:
            roster.closed(self._number, clock())
            _log.info("stream closed", extra=self._facts())

    async def _read(self, session: Session[R]) -> None:
        while isinstance(data := await self._call.read(), bytes):
            request, wire = self._decode(data)
            if wire is not None and wire.id and wire.id != self.node_id:
                raise PeerError(f"the node id of a stream cannot change (from {self.node_id!r} to {wire.id[:200]!r})")
            self._receive(session, request)

    def _receive(self, session: Session[R], request: R) -> None:
        event = session.receive(request, self._parts.clock())
        self._note(event, session)
        self._bell.ring()

    def _decode(self, data: bytes) -> tuple[R, WireNode | None]:
        return self._protocol.decode(data, self._parts.settings.max_error_text)

    def _note(self, event: Event, session: Session[R]) -> None:
        roster, now = self._parts.roster, self._parts.clock()
        if event.answer is Answer.ACK:
            roster.acked(self._number, event.type, now)
        elif event.answer is Answer.NACK:
            roster.nacked(self._number, event.type, event.message, now)
            _log.warning("response refused", extra=self._facts(type=event.type.short, reason=event.message))
        if event.subscribed:
            roster.subscribed(self._number, event.type, session.names(event.type))

    async def _write(self, session: Session[R]) -> None:
        while True:
            await self._wait(session.next_deadline())
            if self._draining:
                raise Unavailable("the control plane is shutting down; reconnect")
            session.regroup(self._parts.roster.group(self._number))
            offer = session.offer(self._latest(), self._parts.clock())
            self._learn(offer)
            for response in offer.responses:
                await self._send(response)

    async def _wait(self, deadline: float | None) -> None:
        """Return when there may be something to say: the bell rang, or the deadline passed."""
        remaining = None if deadline is None else max(0.0, deadline - self._parts.clock())
        try:
            async with asyncio.timeout(remaining):
                await self._bell.wait()
        except TimeoutError:
            pass

    def _learn(self, offer: Offer) -> None:
        now = self._parts.clock()
        for type_, contents in offer.held.items():
            self._parts.roster.held(self._number, type_, contents, now)
        for late in offer.overdue:
            waited = round(now - late.since, 3)
            _log.warning("no answer in time; going on without", extra=self._facts(type=late.type.short, waited=waited))

    async def _send(self, response: Outgoing) -> None:
        """Write one response. The roster learns of it first, for its answer may be read before `write` returns."""
        roster, settings = self._parts.roster, self._parts.settings
        roster.sent(self._number, response.type, response.sent, response.removed, self._parts.clock())
        try:
            async with asyncio.timeout(settings.write_deadline):
                await self._call.write(response.encode())
        except TimeoutError:
            waited = f"{settings.write_deadline:g} s"
            raise SlowReader(f"the client did not take a {response.type.short} response in {waited}") from None
        except grpc.aio.InternalError as error:
            raise ClientGone from error

    def _latest(self) -> Snapshot:
        snapshot = self._parts.cache.latest()
        if snapshot is None:
            raise Unavailable("the control plane has not loaded its state yet; reconnect")
        return snapshot

    def _facts(self, **more: object) -> dict[str, object]:
        """Return the structured part of a log record."""
        return {"node": self.node_id, "stream": self._number, "protocol": self._protocol.name, **more}
