"""Random clients against random publishes: the client ends with what it asked for, and is told nothing twice.

The client is the strictest one that the protocol allows: what it refuses it refuses whole, removals included.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.unit.protocol.client import ALL, CDS, EDS, RDS, resource
from xds.cache import Cache, ResourceKey
from xds.protocol import DeltaExchange, DeltaRequest, Outgoing, Session, StateExchange, StateRequest
from xds.wire.digest import digest
from xds.wire.types import ResourceType

TYPES = st.sampled_from([CDS, EDS, RDS])
NAMES = st.sets(st.sampled_from("abc"), max_size=3)
BAD = digest(b"bad")


class Side:
    """One type of the client: what it asks for, what it holds, the response it has not answered."""

    def __init__(self) -> None:
        self.asked = False
        self.wildcard = False
        self.names: set[str] = set()
        self.held: dict[str, str] = {}
        self.version = ""
        self.nonce = ""
        self.waiting: Outgoing | None = None
        self.excused: set[str] = set()
        """Names that may come although they are held in this version: asked for again, refused, or warming."""

    def wants(self, name: str) -> bool:
        return self.wildcard or name in self.names


class AnyConversation(RuleBasedStateMachine):
    """What both protocols have in common."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = Cache()
        self.cache.publish()
        self.now = 0.0
        self.sides = {type_: Side() for type_ in (CDS, EDS, RDS)}
        self.open()

    def open(self) -> None:
        raise NotImplementedError

    def serve(self) -> None:
        """Let the server send; check each response against what the client could expect."""
        snapshot = self.cache.latest()
        assert snapshot is not None
        for out in self.session_offer(snapshot):
            side = self.sides[out.type]
            assert side.waiting is None, "two unanswered responses of one type"
            side.waiting = out
            self.check(side, out)
            side.excused -= {*out.sent, *out.removed}
            if out.type is CDS:
                self.sides[EDS].excused |= set(out.sent)

    def session_offer(self, snapshot: object) -> list[Outgoing]:
        raise NotImplementedError

    def check(self, side: Side, out: Outgoing) -> None:
        raise NotImplementedError

    def take(self, side: Side, out: Outgoing) -> None:
        raise NotImplementedError

    def reply(self, type_: ResourceType, nonce: str, error: str | None) -> None:
        raise NotImplementedError

    @rule(type_=TYPES, contents=st.dictionaries(st.sampled_from("abc"), st.sampled_from(["1", "2", "bad"])), gone=NAMES)
    def publish(self, type_: ResourceType, contents: dict[str, str], gone: set[str]) -> None:
        upserts = [resource(type_, name, content) for name, content in contents.items()]
        self.cache.publish(upserts, [ResourceKey(type_, name) for name in gone])
        if self.forgets_nothing(type_):
            self.sides[type_].excused |= gone  # what comes back is new, for nobody told the client that it was gone
        self.serve()

    @rule(type_=TYPES)
    def answer(self, type_: ResourceType) -> None:
        side = self.sides[type_]
        out, side.waiting = side.waiting, None
        if out is None:
            return
        if BAD in {held.version for held in out.sent.values()}:
            side.excused |= {*out.sent, *out.removed}
            self.reply(type_, out.nonce, "bad")
        else:
            self.take(side, out)
            self.reply(type_, out.nonce, None)
        self.serve()

    @rule(seconds=st.sampled_from([0.5, 3.0, 6.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.serve()

    @rule()
    def reconnect(self) -> None:
        for side in self.sides.values():
            side.waiting, side.nonce = None, ""
            side.excused |= set("abc")  # a new stream knows nothing of the old one (rule 19)
        self.open()
        self.resubscribe()
        self.serve()

    def resubscribe(self) -> None:
        raise NotImplementedError

    @invariant()
    def nobody_waits_without_a_deadline(self) -> None:
        """A second offer at the same moment has nothing to add: what is to be sent was sent."""
        snapshot = self.cache.latest()
        assert snapshot is not None
        assert self.session_offer(snapshot) == []

    def teardown(self) -> None:
        """Make everything good, let the client answer everything, and compare."""
        for type_ in self.sides:
            snapshot = self.cache.latest()
            assert snapshot is not None
            bad = [name for name, r in snapshot.view(type_, ALL).items() if r.version == BAD]
            self.cache.publish([resource(type_, name, "good") for name in bad])
        for _ in range(40):
            self.time_passes(6.0)
            for type_ in self.sides:
                self.answer(type_)
        assert not any(side.waiting for side in self.sides.values()), "it never comes to rest"
        for type_, side in self.sides.items():
            self.compare(type_, side)

    def compare(self, type_: ResourceType, side: Side) -> None:
        snapshot = self.cache.latest()
        assert snapshot is not None
        there = {name: r.version for name, r in snapshot.view(type_, ALL).items() if side.wants(name)}
        held = {name: version for name, version in side.held.items() if side.wants(name)}
        if self.forgets_nothing(type_):
            held = {name: version for name, version in held.items() if name in there}
        assert held == there

    def forgets_nothing(self, type_: ResourceType) -> bool:
        """Whether the protocol has no way to take something of this type from the client."""
        raise NotImplementedError


class AnyDeltaConversation(AnyConversation):
    """A delta client."""

    def open(self) -> None:
        self.session = Session(ALL, DeltaExchange)

    def session_offer(self, snapshot: object) -> list[Outgoing]:
        return self.session.offer(snapshot, self.now).responses  # type: ignore[arg-type] # serve() read it from the cache

    def reply(self, type_: ResourceType, nonce: str, error: str | None) -> None:
        self.session.receive(DeltaRequest(type_, nonce=nonce, error=error), self.now)

    def check(self, side: Side, out: Outgoing) -> None:
        told_twice = {name for name, held in out.sent.items() if side.held.get(name) == held.version}
        assert told_twice <= side.excused
        assert all(side.wants(name) for name in out.sent)

    def take(self, side: Side, out: Outgoing) -> None:
        side.held.update({name: held.version for name, held in out.sent.items()})
        for name in out.removed:
            side.held.pop(name, None)

    @rule(
        type_=TYPES, add=NAMES, drop=NAMES, star=st.sampled_from(["", "+", "-"]), nonce=st.sampled_from(["", "stale"])
    )
    def subscribe(self, type_: ResourceType, add: set[str], drop: set[str], star: str, nonce: str) -> None:
        side = self.sides[type_]
        names = (*sorted(add), *(["*"] if star == "+" else []))
        gone = (*sorted(drop), *(["*"] if star == "-" else []))
        if not side.asked:
            side.wildcard = not names and type_ is CDS
        side.asked = True
        side.wildcard = star == "+" or (side.wildcard and star != "-")
        side.excused |= add | drop
        side.names = (side.names - drop) | add
        side.held = {name: version for name, version in side.held.items() if side.wants(name)}
        self.session.receive(DeltaRequest(type_, names, gone, nonce=nonce), self.now)
        if side.waiting is not None:  # what is under way and given up is not taken
            kept = {name: held for name, held in side.waiting.sent.items() if side.wants(name)}
            side.waiting = Outgoing(type_, side.waiting.nonce, "", b"", kept, side.waiting.removed)
        self.serve()

    def resubscribe(self) -> None:
        for type_, side in self.sides.items():
            if side.asked and (side.wildcard or side.names):
                names = (*(["*"] if side.wildcard else []), *sorted(side.names))
                self.session.receive(DeltaRequest(type_, names, initial=dict(side.held)), self.now)
            else:
                side.asked = False

    def forgets_nothing(self, type_: ResourceType) -> bool:
        return False


class AnyStateConversation(AnyConversation):
    """A state-of-the-world client."""

    def open(self) -> None:
        self.session = Session(ALL, StateExchange)

    def session_offer(self, snapshot: object) -> list[Outgoing]:
        return self.session.offer(snapshot, self.now).responses  # type: ignore[arg-type] # serve() read it from the cache

    def names(self, side: Side) -> tuple[str, ...]:
        return (*(["*"] if side.wildcard else []), *sorted(side.names))

    def reply(self, type_: ResourceType, nonce: str, error: str | None) -> None:
        side = self.sides[type_]
        side.nonce = nonce
        self.session.receive(StateRequest(type_, self.names(side), side.version, nonce, error), self.now)

    def check(self, side: Side, out: Outgoing) -> None:
        if out.type is not CDS:
            assert {n for n, held in out.sent.items() if side.held.get(n) == held.version} <= side.excused
        elif {name: held.version for name, held in out.sent.items()} == side.held:
            assert side.excused, "the same full state again"
            side.excused.clear()

    def take(self, side: Side, out: Outgoing) -> None:
        new = {name: held.version for name, held in out.sent.items() if side.wants(name)}
        side.held = new if out.type is CDS else {**side.held, **new}
        side.version = out.version

    @rule(type_=TYPES, names=NAMES, star=st.booleans(), anew=st.booleans())
    def subscribe(self, type_: ResourceType, names: set[str], star: bool, anew: bool) -> None:
        side = self.sides[type_]
        if not names and not star and not side.asked:
            return  # the legacy wildcard has its own tests; here the star is explicit
        if side.waiting is not None and not anew:
            return  # the next answer would carry it
        side.asked, side.wildcard = True, star
        side.excused |= set("abc")
        side.names = names
        side.held = {name: version for name, version in side.held.items() if side.wants(name)}
        nonce = "" if anew else side.nonce
        if anew:
            side.waiting = None  # a client that begins anew forgets what it has not answered
        self.session.receive(StateRequest(type_, self.names(side), side.version, nonce), self.now)
        self.serve()

    def resubscribe(self) -> None:
        for type_, side in self.sides.items():
            if side.asked and (side.wildcard or side.names):
                self.session.receive(StateRequest(type_, self.names(side), side.version), self.now)
            else:
                side.asked, side.held, side.version = False, {}, ""

    def forgets_nothing(self, type_: ResourceType) -> bool:
        return type_ is not CDS


PLAN = settings(max_examples=150, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
TestDelta = pytest.mark.timeout(120)(AnyDeltaConversation.TestCase)
TestDelta.settings = PLAN
TestState = pytest.mark.timeout(120)(AnyStateConversation.TestCase)
TestState.settings = PLAN
