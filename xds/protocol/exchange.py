"""One type on one stream: what was asked, what was sent, what is owed, what is unanswered. Both protocols rest on it.

The whole state of a slow client is its `dirty` names, never a queue. Per publish the cost is the number of changed
names that the client asked for. The table of states:

    owed nothing   + a content changes, or is asked for  -> dirty
    dirty          + nothing unanswered, no gate         -> respond: unanswered
    unanswered     + ACK                                 -> owed nothing, or dirty if something changed meanwhile
    unanswered     + NACK                                -> the same, and its names are parked: not sent again (rule 2)
    parked         + its content changes                 -> dirty; after its ACK the rest of what was refused is tried
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from xds.cache.resource import MARK_MODULUS, Held, Resource
from xds.cache.snapshot import Snapshot, View
from xds.wire.types import ResourceType

from .requests import Answer, DeltaRequest, Event, Outgoing, StateRequest
from .subscription import Change, Subscription

R = TypeVar("R", StateRequest, DeltaRequest)


@dataclass(slots=True)
class Unanswered:
    """A response that the client has not answered.

    Its nonce, when it was sent, the names in it, whether it is overdue.
    """

    nonce: str
    at: float
    names: frozenset[str]
    reported: bool = False


class Response(NamedTuple):
    """A response, and the contents in it that are new to the client: what they warm must be sent again (rule 28)."""

    outgoing: Outgoing
    fresh: list[Resource]


class Body(NamedTuple):
    """The part of a response that streams share."""

    data: bytes
    contents: dict[str, Held]


@dataclass(slots=True)
class Exchange(ABC, Generic[R]):
    """The state of one type on one stream. `receive` takes requests, `absorb` snapshots, `respond` makes what is owed.

    `sent`: name -> resource last sent, None for a content that we do not know but the client proved to have. `dirty`:
    names whose present content the client lacks. `forced`: those among them that go out even if unchanged. `parked`:
    names refused, `retry`: those among them whose company changed. `due`: an answer is due even if it is empty.
    `proved`: contents that a reconnected client proved to hold, until somebody takes note of them.
    """

    type: ResourceType
    sub: Subscription = field(init=False)
    sent: dict[str, Resource | None] = field(default_factory=dict)
    total: int = 0
    dirty: set[str] = field(default_factory=set)
    forced: set[str] = field(default_factory=set)
    parked: set[str] = field(default_factory=set)
    retry: set[str] = field(default_factory=set)
    unanswered: Unanswered | None = None
    due: bool = False
    unread: bool = True
    seen: int = -1
    reclaimed_at: float | None = None
    proved: dict[str, Held] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sub = Subscription(self.type)

    @abstractmethod
    def receive(self, request: R, now: float) -> Event:
        """Take a request; return what it meant. Nothing is sent from here."""

    @abstractmethod
    def respond(self, view: View, nonce: str, now: float, *, keep: bool) -> Response | None:
        """Return the response that is owed, None if none. With `keep`, what the client holds is not removed yet."""

    def owes(self) -> bool:
        """Whether anything is to be sent, gates and the unanswered response aside."""
        return bool(self.dirty) or self.due

    def removes(self, view: View) -> bool:
        """Whether what is owed takes something from the client that it was sent."""
        return any(name in self.sent and view.find(name) is None for name in self.dirty)

    def force(self, names: Iterable[str]) -> None:
        """Owe these names even if unchanged."""
        owed = set(names)
        self.forced |= owed
        self.dirty |= owed

    def absorb(self, view: View, snapshot: Snapshot) -> None:
        """Bring `dirty` up to this snapshot. Costs the changed names that are asked for, not the subscription."""
        if self.unread:
            changed = None
        elif view.revision <= self.seen:
            return
        else:
            changed = snapshot.changed_since(self.type, self.seen)
        self.seen = snapshot.revision
        if changed is None:
            names: Iterable[str] = {*self.sent, *self.sub.names, *(view.all() if self.sub.wildcard else ())}
        else:
            names = changed if self.sub.wildcard else changed & self.sub.names
        if self.unread:
            self.unread = False
            self._recall(view)
        for name in names:
            self._judge(name, view)

    def _recall(self, view: View) -> None:
        """Believe, once, what a reconnected client says it holds; what matches is proved."""

    def _judge(self, name: str, view: View) -> None:
        """Put `name` among the dirty ones, or take it out, as its present content demands."""
        if name in self.forced:
            return
        present, known = view.find(name), self.sent.get(name)
        same = name not in self.sent if present is None else known is not None and known.version == present.version
        if same:
            self.dirty.discard(name)
            return
        self.dirty.add(name)
        if name in self.parked:
            # The culprit may have been another name of the refused response, or this one. It goes alone; if it is
            # accepted, the others get their chance.
            self.parked.discard(name)
            self.retry |= self.parked
            self.parked.clear()

    def _settle(self, nonce: str, error: str | None) -> Answer:
        """Take the answer to the unanswered response, if it is one."""
        waiting = self.unanswered
        if waiting is None or waiting.nonce != nonce:
            return Answer.NONE
        self.unanswered = None
        if error is not None:
            changed = waiting.names & self.dirty
            if changed:  # no need to wait for what changed meanwhile; the others come after it
                self.retry |= waiting.names - changed
            else:
                self.parked |= waiting.names
            return Answer.NACK
        self._try_again()
        return Answer.ACK

    def _try_again(self) -> bool:
        """Owe what was refused in the company of something that is out of the way now; tell whether there is any."""
        again = {name for name in self.retry if self.sub.covers(name)}
        self.retry.clear()
        self.force(again)
        return bool(again)

    def _subscribed(self, change: Change) -> None:
        """Forget what the client gave up, owe what it waits for."""
        for name in change.dropped:
            self._forget(name)
        if change.closed:
            for name in [name for name in self.sent if name not in self.sub.names]:
                self._forget(name)
            self.dirty &= self.sub.names
            self.forced &= self.sub.names
        self.force(change.added)
        self.force(change.uncovered)
        self.unread = self.unread or change.opened

    def _fresh(self, contents: Iterable[Resource]) -> list[Resource]:
        """Return those of `contents` that the client has not got in this version."""
        return [r for r in contents if (was := self.sent.get(r.name)) is None or was.version != r.version]

    def _sent(self, nonce: str, now: float, contents: Iterable[Resource], removed: Iterable[str]) -> None:
        """Keep the record of a response."""
        names = set(removed)
        for name in names:
            self._drop(name)
        for resource in contents:
            self._drop(resource.name)
            self.sent[resource.name] = resource
            self.total += resource.mark
            names.add(resource.name)
        if not names.isdisjoint(self.parked):
            # Asked for again, one of the refused goes out in other company: its answer says something of the rest.
            self.retry |= self.parked - names
            self.parked.clear()
        for owed in (self.dirty, self.forced, self.parked, self.retry):
            owed.difference_update(names)
        self.total %= MARK_MODULUS
        self.due = False
        self.unanswered = Unanswered(nonce, now, frozenset(names))

    def _drop(self, name: str) -> None:
        known = self.sent.pop(name, None)
        if known is not None:
            self.total -= known.mark

    def _forget(self, name: str) -> None:
        if name in self.parked:  # it may have been the culprit
            self.force(self.parked)
            self.parked.clear()
        self._drop(name)
        for owed in (self.dirty, self.forced, self.parked, self.retry):
            owed.discard(name)
