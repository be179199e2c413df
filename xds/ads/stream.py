"""One xDS stream: a task that reads and a task that writes, joined by a bell and a session.

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

from xds.cache.group import Group
from xds.cache.roster import Roster
from xds.cache.snapshot import Snapshot
from xds.cache.table import Cache
from xds.cache.typestate import Node
from xds.model.problems import FairleadError, PeerError, Unavailable
from xds.protocol.exchange import Exchange, R
from xds.protocol.requests import Answer, Event, Outgoing
from xds.protocol.session import Offer, Session
from xds.wire.requests import Request, RequestReader
from xds.wire.types import ResourceType

from .decode import node_of, read_request
from .limits import Bucket, LimitReached, Watchdog
from .observer import Observer
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
class Kind(Generic[R]):
    """Which of the two protocols a stream speaks: how requests are made of what was read, and a type's state."""

    name: str
    request: Callable[[Request, ResourceType | None, int], R]
    exchange: Callable[[ResourceType, frozenset[str]], Exchange[R]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What all streams of a server share."""

    cache: Cache
    roster: Roster
    assign: Assign
    clock: Callable[[], float]
    settings: AdsSettings
    observer: Observer
    watchdog: Watchdog


class Stream(Generic[R]):
    """One stream from its first request to its end; `only` is its type where the service has but one.

    `run` returns when the client is done and raises when it must end.
    """

    def __init__(self, number: int, call: Call, kind: Kind[R], only: ResourceType | None, parts: Parts) -> None:
        settings = parts.settings
        self._number = number
        self._call = call
        self._kind: Kind[R] = kind
        self._only = only
        self._parts = parts
        self._reader = RequestReader(delta=kind.name == "delta", max_names=settings.max_names)
        self._node: Node | None = None
        self._session: Session[R] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._draining = self._slow = False
        self._bell = parts.cache.subscribe()
        self._messages = Bucket(settings.message_rate, settings.message_burst)
        self._refusals = Bucket(1.0, 5)  # lines about refusals; each is counted all the same

    @property
    def node_id(self) -> str:
        """Return the client's node id, "" until it said who it is."""
        return self._node.id if self._node is not None else ""

    @property
    def kind(self) -> str:
        """Return `sotw` or `delta`."""
        return self._kind.name

    def drain(self) -> None:
        """End the stream with UNAVAILABLE, so that the client comes back, here or elsewhere."""
        self._draining = True
        self._bell.ring()

    def cut(self) -> None:
        """End the write under way, and with it the stream."""
        self._slow = True
        if self._writer is not None:
            self._writer.cancel()

    def regroup(self, group: Group) -> None:
        """Let the client see another group's resources from now on."""
        if self._session is None:
            return
        self._session.regroup(group)
        for type_, names in self._session.asked():
            self._bell.watch(type_, names, group.variants)
        self._bell.ring()

    async def run(self) -> None:
        """Serve the client. Raises FairleadError (say it to the client), or CancelledError when the client is gone."""
        try:
            self._latest()
            data = await self._call.read()
            if not isinstance(data, bytes):
                return
            first = read_request(self._reader, data)
            self._node = node_of(first.node, self._call.peer())
            group = await self._parts.assign(self._node)
            self._latest()
            await self._serve(group, first)
        finally:
            self._bell.close()

    async def _serve(self, group: Group, first: Request) -> None:
        assert self._node is not None  # noqa: S101 - run() read it from the first request
        roster, clock, settings = self._parts.roster, self._parts.clock, self._parts.settings
        session = Session(group, self._kind.exchange, features=self._node.features, patience=settings.gate_patience)
        self._session = session
        roster.opened(self._number, self._node, group, clock(), self.regroup)
        _log.info("stream opened", extra=self._facts(group=group.id, peer=self._node.peer))
        failure: Exception | None = None
        try:
            self._receive(session, first)
            async with asyncio.TaskGroup() as tasks:
                self._writer = tasks.create_task(self._write(session))
                await self._read(session)
                self._writer.cancel()
        except ExceptionGroup as failures:
            # One of the two tasks failed and took the other along: its reason is the stream's. The group itself hangs
            # in a cycle with its own traceback, and all that the stream held would hang on it.
            failure = failures.exceptions[0]
            failures.__traceback__ = None
        finally:
            roster.closed(self._number, clock())
            _log.info("stream closed", extra=self._facts())
        if failure is not None:
            try:
                raise failure
            finally:
                del failure

    async def _read(self, session: Session[R]) -> None:
        read, node_id = self._call.read, self.node_id
        while isinstance(data := await read(), bytes):
            request = read_request(self._reader, data)
            said = request.node
            if said is not None and said.id and said.id != node_id:
                raise PeerError(f"the node id of a stream cannot change (from {node_id!r} to {said.id[:200]!r})")
            self._receive(session, request)

    def _receive(self, session: Session[R], read: Request) -> None:
        now, settings = self._parts.clock(), self._parts.settings
        if not self._messages.take(now):
            raise LimitReached(f"more than {settings.message_rate:g} requests a second, for long", "messages")
        event = session.receive(self._kind.request(read, self._only, settings.max_error_text), now)
        if event.subscribed:
            self._subscribed(session, event.type)
        if event.answer is not Answer.NONE:
            self._answered(event, now)
        if session.restless:
            self._bell.ring()

    def _subscribed(self, session: Session[R], type_: ResourceType) -> None:
        names, most = session.names(type_), self._parts.settings.max_names
        if names is not None and len(names) > most:
            raise LimitReached(f"more than {most} {type_.short} names on one stream", "names")
        shared = self._bell.watch(type_, names, session.group.variants)
        self._parts.roster.works(self._number, type_, session.progress(type_))
        self._parts.roster.subscribed(self._number, type_, shared)

    def _answered(self, event: Event, now: float) -> None:
        roster, observer = self._parts.roster, self._parts.observer
        if event.answer is Answer.ACK:
            observer.acked(event.type, roster.acked(self._number, event.type, now) or 0.0)
        elif event.answer is Answer.NACK:
            roster.nacked(self._number, event.type, event.message, now)
            observer.nacked(event.type)
            if self._refusals.take(now):
                _log.warning("response refused", extra=self._facts(type=event.type.short, reason=event.message))

    async def _write(self, session: Session[R]) -> None:
        while True:
            await self._wait(session.next_deadline())
            if self._draining:
                raise Unavailable("the control plane is shutting down; reconnect")
            offer = session.offer(self._latest(), self._parts.clock())
            if offer.held or offer.overdue or offer.held_back:
                self._learn(offer)
            for response in offer.responses:
                await self._send(response)

    async def _wait(self, deadline: float | None) -> None:
        """Return when there may be something to say: the bell rang, or the deadline passed."""
        if deadline is None:
            return await self._bell.wait()
        try:
            async with asyncio.timeout(max(0.0, deadline - self._parts.clock())):
                await self._bell.wait()
        except TimeoutError:
            pass

    def _learn(self, offer: Offer) -> None:
        now = self._parts.clock()
        for type_, contents in offer.held.items():
            self._parts.roster.held(self._number, type_, contents, now)
        for late in offer.overdue:
            self._parts.observer.overdue(late.type)
            waited = round(now - late.since, 3)
            _log.warning("no answer in time; going on without", extra=self._facts(type=late.type.short, waited=waited))
        for back in offer.held_back:
            names = sorted(back.names)[:10]
            _log.warning("held back: a cluster is missing", extra=self._facts(type=back.type.short, names=names))

    async def _send(self, response: Outgoing) -> None:
        """Write one response. The roster learns of it first, for its answer may be read before `write` returns."""
        now, watchdog, data = self._parts.clock(), self._parts.watchdog, response.encode()
        self._parts.roster.sent(self._number, response.type, response.sent, response.removed, now, len(data))
        self._parts.observer.pushed(response.type, len(data))
        watchdog.began(self, now)
        try:
            await self._call.write(data)
        except asyncio.CancelledError:
            if not self._slow:
                raise
            waited = f"{self._parts.settings.write_deadline:g} s"
            raise SlowReader(f"the client did not take a {response.type.short} response in {waited}") from None
        except grpc.aio.InternalError as error:
            raise ClientGone from error
        finally:
            watchdog.ended(self)

    def _latest(self) -> Snapshot:
        snapshot = self._parts.cache.latest()
        if snapshot is None:
            raise Unavailable("the control plane has not loaded its state yet; reconnect")
        return snapshot

    def _facts(self, **more: object) -> dict[str, object]:
        """Return the structured part of a log record."""
        return {"node": self.node_id, "stream": self._number, "protocol": self._kind.name, **more}
