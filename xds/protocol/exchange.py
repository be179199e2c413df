"""One type on one stream: what was asked, what was sent, what is owed, what is unanswered. Both protocols rest on it.

The whole state of a slow client is its `dirty` names, never a queue. Per publish the cost is the number of changed
names that the client asked for. The table of states:

    owed nothing   + a content changes, or is asked for  -> dirty
    owed nothing   + half a time to live has passed      -> respond: unanswered, as a heartbeat (rule 30)
    dirty          + nothing unanswered, no gate         -> respond: unanswered
    dirty          + needs a cluster that is missing     -> held back: dirty until the cluster is there
    dirty          + takes away what may be in use       -> kept: dirty until those who may use it have settled
    unanswered     + ACK                                 -> owed nothing, or dirty if something changed meanwhile
    unanswered     + NACK                                -> the same, and its names are parked: not sent again (rule 2)
    unanswered     + NACK of a heartbeat                 -> dirty: the client holds it no more
    parked         + its content changes                 -> dirty; after its ACK the rest of what was refused is tried
    anything       + given up by the client              -> forgotten; dirty where "*" still covers it (rule 15)

A name is what the client asks by, be it an alias (rule 24); a client of everything asks by the resources' own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Generic, TypeVar

from xds.cache.group import Group
from xds.cache.resource import MARK_MODULUS, Held, Resource
from xds.cache.snapshot import Snapshot, View
from xds.wire.types import ResourceType

from .heartbeats import Heartbeats, takes_ttl
from .plan import NOBODY, Plan, Response, Unanswered
from .requests import Answer, DeltaRequest, Event, StateRequest
from .subscription import Change, Subscription

R = TypeVar("R", StateRequest, DeltaRequest)


@dataclass(slots=True)
class Exchange(ABC, Generic[R]):
    """The state of one type on one stream. `receive` takes requests, `absorb` snapshots, `respond` makes what is owed.

    `features`: what the client says it can do. `view`: what there is, as of the last snapshot absorbed. `sent`: name ->
    resource last sent, None for a content that we do not know but the client proved to have. `dirty`: names whose
    present content the client lacks. `forced`: those among them that go out even if unchanged. `parked`: names refused
    and not sent since, `retry`: those among them whose company changed. `doubtful`: names sent that the client never
    accepted in any version. `held_back`: names that wait for a cluster. `due`: an answer is due even if it is empty.
    `proved`: contents that a reconnected client proved to hold, until somebody takes note of them. `beats`: the
    resources that live only as long as they are heard of. `aliased`: something was sent under a name that is not its
    own.
    """

    wraps: ClassVar[bool]
    """Whether a resource with a time to live has to be wrapped, which not every client understands."""

    type: ResourceType
    features: frozenset[str] = NOBODY
    sub: Subscription = field(init=False)
    sent: dict[str, Resource | None] = field(default_factory=dict)
    total: int = 0
    dirty: set[str] = field(default_factory=set)
    forced: set[str] = field(default_factory=set)
    parked: set[str] = field(default_factory=set)
    retry: set[str] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)
    held_back: frozenset[str] = NOBODY
    unanswered: Unanswered | None = None
    due: bool = False
    unread: bool = True
    seen: int = -1
    view: View = field(init=False, repr=False)
    reclaimed_at: float | None = None
    proved: dict[str, Held] = field(default_factory=dict)
    beats: Heartbeats = field(init=False)
    aliased: bool = False

    def __post_init__(self) -> None:
        self.sub = Subscription(self.type)
        self.beats = Heartbeats(takes=takes_ttl(self.features, wrapped=self.wraps))

    @abstractmethod
    def receive(self, request: R, now: float) -> Event:
        """Take a request; return what it meant. Nothing is sent from here."""

    @abstractmethod
    def respond(self, nonce: str, now: float, *, keep: bool, hold: Collection[str] = NOBODY) -> Response | None:
        """Return the response that is owed, None if none.

        With `keep`, what the client holds is not removed yet; names in `hold` stay as the client has them.
        """

    @property
    def owed(self) -> Collection[str]:
        """The names whose present content the client has not been sent."""
        return self.dirty

    def owes(self, now: float) -> bool:
        """Whether anything is to be sent, gates and the unanswered response aside."""
        return bool(self.dirty or self.due or (self.beats and self.beats.due(now)))

    def owed_but(self, hold: Collection[str]) -> frozenset[str]:
        """Return the names owed, those in `hold` aside; as the client listed them, if they are all that it asked for.

        Its list is the same object as those of its kin, and known by identity where plans are looked up.
        """
        owed = self.dirty.difference(hold) if hold else self.dirty
        return self.sub.names if owed == self.sub.names else frozenset(owed)

    def removes(self) -> bool:
        """Whether what is owed takes something from the client that it was sent."""
        if not self.sent:
            return False
        find, sent = self.view.find, self.sent
        for name in self.dirty:  # noqa: SIM110 - a generator would cost more than what it asks
            if name in sent and find(name) is None:
                return True
        return False

    def lacks(self, name: str) -> bool:
        """Whether the client has this, as far as we know, in no version, although it is published and asked for."""
        return name in self.doubtful or (name in self.dirty and name not in self.sent)

    def force(self, names: Collection[str]) -> None:
        """Owe these names even if unchanged."""
        self.forced.update(names)
        self.dirty.update(names)

    def compare_anew(self) -> None:
        """Compare everything with the next snapshot: the client sees another group's resources from now on."""
        self.seen = -1

    def absorb(self, snapshot: Snapshot, group: Group) -> None:
        """Bring `dirty` up to this snapshot. Costs the changed names that are asked for, not the subscription."""
        table = snapshot.table(self.type)
        if self.unread:
            changed = None
        elif table.revision <= self.seen:
            return
        else:
            changed = table.changed_since(self.seen)
        self.seen = snapshot.revision
        view: View = table.view(group)
        self.view = view
        if self.unread:
            self.unread = False
            self._recall(view)
        names: Collection[str]
        if changed is None:
            # What is forced is owed whatever there is: at the first answer to many names, that leaves none to compare.
            asked = (self.dirty - self.forced, self.sub.names - self.forced, view if self.sub.wildcard else ())
            names = set(self.sent).union(*asked)
        else:
            names = changed if self.sub.wildcard else changed & self.sub.names
        for name in names:
            self._judge(name)

    def _recall(self, view: View) -> None:
        """Believe, once, what a reconnected client says it holds; what matches is proved."""

    def _judge(self, name: str) -> None:
        """Put `name` among the dirty ones, or take it out, as its present content demands."""
        if name in self.forced:
            return
        present, known = self.view.find(name), self.sent.get(name)
        if present is not None and present.name != name and not (name in self.sub.names or name in self.sent):
            return  # an alias of what the client of everything knows by its own name
        if present is None:
            same = name not in self.sent
        else:
            same = known is not None and known.version == present.version and known.name == present.name
        if same:
            self.dirty.discard(name)
            return
        self.dirty.add(name)

    def _settle(self, nonce: str, error: str | None, now: float) -> Answer:
        """Take the answer to the unanswered response, if it is one."""
        waiting = self.unanswered
        if waiting is None or waiting.nonce != nonce:
            return Answer.NONE
        self.unanswered = None
        if error is None:
            self.doubtful -= waiting.names
            self.beats.accepted()
            if self.retry:
                self._try_again()
            return Answer.ACK
        blamed = {name for name in waiting.names if name in error}
        if blamed:  # what a client does not complain of in a refusal that names its culprits, it has taken
            self.doubtful -= waiting.names - blamed
        refused = {name for name in waiting.names if self.sub.covers(name)}  # what was given up meanwhile is gone
        if self.beats.takes:
            self._outlived(refused, waiting.beats, now)
        self.parked |= refused
        return Answer.NACK

    def _outlived(self, refused: set[str], beats: Collection[str], now: float) -> None:
        """Keep alive what the client held before it refused a content.

        Who refuses a heartbeat may have heard of it too late, and hold nothing any more: it is sent the content.
        """
        self.beats.refused(refused, now)
        lost = {name for name in beats if self.sub.covers(name)}
        for name in lost & self.parked:
            self.beats.forget(name)
        self.force(lost - self.parked)

    def _try_again(self) -> bool:
        """Owe what was refused in the company of something that is out of the way now; tell whether there is any."""
        again = {name for name in self.retry if self.sub.covers(name)}
        self.retry.clear()
        self.force(again)
        return bool(again)

    def _beats(self, now: float, made: Plan, gone: Collection[str] = ()) -> dict[str, Resource]:
        """Return what the client should hear of by now and will not anyway: by name, as the client holds it."""
        due, told = self.beats.due(now), {resource.name for resource in made.resources}
        return {name: r for name, r in due.items() if name not in gone and r.name not in told}

    def _subscribed(self, change: Change) -> None:
        """Forget what the client gave up, owe what it waits for."""
        for name in change.dropped:
            self._forget(name)
        if change.closed:
            for name in [name for name in self.sent if name not in self.sub.names]:
                self._forget(name)
            for owed in (self.dirty, self.forced, self.parked, self.retry, self.doubtful):
                owed.intersection_update(self.sub.names)
        if change.added:
            self.force(change.added)
        if change.uncovered:
            self.force(change.uncovered)
        self.unread = self.unread or change.opened

    def _fresh(self, contents: Mapping[str, Resource]) -> list[Resource]:
        """Return those of `contents` that the client has not got in this version, where that means anything."""
        if not self.type.warms_others:
            return []
        return [r for name, r in contents.items() if (was := self.sent.get(name)) is None or was.version != r.version]

    def _sent(self, nonce: str, now: float, plan: Plan, removed: Collection[str] = ()) -> None:
        """Keep the record of a response with these contents, and names taken away."""
        for name in removed:
            self._drop(name)
        if self.sent:
            self._overwrite(plan.contents)
        else:  # the first answer, which may be large: copied as a whole
            self.sent = dict(plan.contents)
            self.total = plan.total
            self.doubtful |= plan.names
        if self.beats.takes and (plan.timed or self.beats):
            for name, resource in plan.contents.items():
                self.beats.sent(name, resource, now)
        self.aliased = self.aliased or plan.aliased
        names = plan.names.union(removed) if removed else plan.names
        if self.parked and not names.isdisjoint(self.parked):
            # The culprit may be among these, or not. They go out in other company, changed or asked for again; if they
            # are accepted, the rest gets its chance.
            self.retry |= self.parked - names
            self.parked.clear()
        self.dirty -= names
        self.forced -= names
        if self.retry:
            self.retry -= names
        self.due = False
        self.unanswered = Unanswered(nonce, now, names)

    def _overwrite(self, contents: Mapping[str, Resource]) -> None:
        sent, total = self.sent, self.total
        for name, resource in contents.items():
            if name in sent:
                known = sent[name]
                if known is not None:
                    total -= known.mark
            else:
                self.doubtful.add(name)
            sent[name] = resource
            total += resource.mark
        self.total = total % MARK_MODULUS

    def _drop(self, name: str) -> None:
        known = self.sent.pop(name, None)
        self.beats.forget(name)
        if known is not None:
            self.total = (self.total - known.mark) % MARK_MODULUS

    def _forget(self, name: str) -> None:
        if name in self.parked:  # it may have been the culprit
            self.force(self.parked)
            self.parked.clear()
        self._drop(name)
        for owed in (self.dirty, self.forced, self.parked, self.retry, self.doubtful):
            owed.discard(name)
