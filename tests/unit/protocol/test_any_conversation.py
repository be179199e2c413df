"""Random clients against random publishes: the client ends with what it asked for, and is told nothing twice."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.unit.protocol.client import ALL, CDS, EDS, RDS
from tests.unit.protocol.strict_client import (
    BAD,
    TTL,
    Content,
    Side,
    Told,
    content_of,
    published,
    read_delta,
    read_state,
)
from xds.cache import Cache, Group, ResourceKey
from xds.cache.snapshot import TypeTable
from xds.protocol import Answer, DeltaExchange, DeltaRequest, Session, StateExchange, StateRequest
from xds.protocol.heartbeats import TTL as TTL_FEATURE
from xds.protocol.heartbeats import WRAPPED
from xds.wire.types import ResourceType

TYPES = st.sampled_from([CDS, EDS, RDS])
NAMES = st.frozensets(st.sampled_from("abcz"), max_size=3)
TEXTS = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["1", "2", "timed", BAD]))
GROUPS = (ALL, Group("not-b", admits=lambda _type, name: name != "b"), Group("blue", ("blue", "")))
EVERY = frozenset("abcz")


class AnyConversation(RuleBasedStateMachine):
    """What both protocols have in common. The cache forgets after four changes, so that long sleeps are usual."""

    removes = frozenset({CDS, EDS, RDS})
    """The types of which the protocol can take something from the client."""
    aliases = False
    """Whether responses say by which other names a resource goes."""

    def __init__(self) -> None:
        super().__init__()
        self.patched = patch.object(TypeTable, "HISTORY", 4)
        self.patched.start()
        self.cache = Cache()
        self.cache.publish()
        self.now = 0.0
        self.group = ALL
        self.features: frozenset[str] = frozenset()
        self.asleep = False
        self.sides = {type_: Side(type_) for type_ in (CDS, EDS, RDS)}
        self.open()

    # What differs between the protocols.

    session: Session[Any]

    def open(self) -> None:
        raise NotImplementedError

    def read(self, out: Any) -> Told:
        raise NotImplementedError

    def check(self, side: Side, told: Told) -> None:
        raise NotImplementedError

    def send(self, side: Side, nonce: str, error: str | None) -> Answer:
        """Answer a response and ask for nothing else."""
        raise NotImplementedError

    def resubscribe(self, side: Side) -> None:
        raise NotImplementedError

    # What happens.

    def there(self, type_: ResourceType) -> dict[str, Content]:
        """What the client would hold of the last snapshot if it asked for everything."""
        snapshot = self.cache.latest()
        assert snapshot is not None
        return dict(content_of(resource) for resource in snapshot.view(type_, self.group).values())

    def serve(self) -> None:
        """Let the server send; check each response against what the client could expect."""
        self.asleep = False
        snapshot = self.cache.latest()
        assert snapshot is not None
        for out in self.session.offer(snapshot, self.now).responses:
            side, told = self.sides[out.type], self.read(out)
            assert side.waiting is None, "two unanswered responses of one type"
            assert not told.beats or self.features, "a heartbeat for somebody who does not know what that is"
            side.waiting = told
            self.check(side, told)
            side.until.update(dict.fromkeys(side.until.keys() & {*told.beats, *told.contents}, self.now + TTL))
            side.excused -= {*told.contents, *told.removed}
            side.owed = False
            if out.type is CDS:
                self.sides[EDS].excused |= set(told.contents)
        self.expire()

    def expire(self) -> None:
        """Drop what was not heard of in time: only what is out of date, unless the client kept the server waiting."""
        for side in self.sides.values():
            late = [name for name, at in side.until.items() if at <= self.now]
            there = self.there(side.type) if late else {}
            for name in late:
                del side.until[name]
                if name not in there:
                    side.held.pop(name, None)
                elif side.held[name].text == there[name].text:
                    gated = side.type is RDS and self.sides[CDS].waiting is not None
                    assert side.waiting is not None or gated or side.refused, f"{name} was let die"

    @rule(type_=TYPES, texts=TEXTS, gone=NAMES, alias=st.booleans(), label=st.booleans(), asleep=st.booleans())
    def publish(
        self, type_: ResourceType, texts: dict[str, str], gone: frozenset[str], alias: bool, label: bool, asleep: bool
    ) -> None:
        before = self.there(type_)
        owner = next(iter(texts), "") if alias and self.aliases and type_ is RDS else ""
        upserts = [published(type_, name, text, alias="z" if name == owner else "") for name, text in texts.items()]
        if owner:  # an alias has one owner
            upserts += [
                published(type_, name, content.text)
                for name, content in before.items()
                if content.aliases and name not in texts
            ]
        labels = {(type_, ""): f"own-{self.now}-{len(before)}"} if label else None
        self.cache.publish(upserts, [ResourceKey(type_, name) for name in gone], labels)
        self.published(type_, gone, asleep)

    @rule(name=st.sampled_from("ab"), text=st.sampled_from(["", "1", "2"]), asleep=st.booleans())
    def publish_for_blue(self, name: str, text: str, asleep: bool) -> None:
        upserts = [published(EDS, name, text, "blue")] if text else []
        self.cache.publish(upserts, [ResourceKey(EDS, name, "blue")])
        self.published(EDS, frozenset(name), asleep)

    def published(self, type_: ResourceType, gone: frozenset[str], asleep: bool) -> None:
        if type_ not in self.removes:
            self.sides[type_].excused |= gone  # what comes back is new, for nobody told the client that it was gone
        self.asleep = asleep
        if not asleep:
            self.serve()

    @rule(group=st.sampled_from(GROUPS))
    def regroup(self, group: Group) -> None:
        self.group = group
        self.session.regroup(group)
        for type_ in self.sides.keys() - self.removes:
            self.sides[type_].excused |= EVERY
        self.serve()

    @rule(type_=TYPES)
    def answer(self, type_: ResourceType) -> None:
        side = self.sides[type_]
        if (told := side.waiting) is not None:
            assert self.send(side, told.nonce, self.verdict(side)) in {Answer.ACK, Answer.NACK}
            self.serve()

    def verdict(self, side: Side) -> str | None:
        """Take what waits for an answer, or refuse it."""
        told, side.waiting = side.waiting, None
        assert told is not None
        side.nonce = told.nonce
        if told.is_bad:
            side.excused |= {*told.contents, *told.removed, *told.beats}
            side.refused = True
            return "no"
        side.take(told, self.now, whole=type(self.session) is Session and self.whole(side))
        return None

    def whole(self, side: Side) -> bool:
        """Whether a response says everything there is."""
        raise NotImplementedError

    @rule(seconds=st.sampled_from([0.5, 3.0, 6.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.serve()

    @rule(timed=st.booleans())
    def reconnect(self, timed: bool) -> None:
        self.features = frozenset({TTL_FEATURE, *WRAPPED}) if timed else frozenset()
        self.open()
        for side in self.sides.values():
            side.waiting, side.nonce, side.refused, side.owed = None, "", False, False
            side.held = {name: content for name, content in side.held.items() if side.wants(name)}
            side.until = {}  # a client that lost its control plane keeps what it has
            side.excused |= EVERY  # a new stream knows nothing of the old one (rule 19)
            if side.asked and (side.wildcard or side.names):
                self.resubscribe(side)
            else:
                self.sides[side.type] = Side(side.type)
        self.serve()

    @precondition(lambda self: not self.asleep)
    @invariant()
    def nobody_waits_without_a_deadline(self) -> None:
        """A second offer at the same moment has nothing to add: what is to be sent was sent."""
        snapshot = self.cache.latest()
        assert snapshot is not None
        assert self.session.offer(snapshot, self.now).responses == []

    def teardown(self) -> None:
        """Make everything good, let the client answer everything, and compare."""
        self.patched.stop()
        for type_ in self.sides:
            bad = [name for name, content in self.there(type_).items() if content.text == BAD]
            self.cache.publish([published(type_, name, "good") for name in bad])
        for _ in range(12):
            self.time_passes(6.0)
            for type_ in self.sides:
                self.answer(type_)
        mortal = {kind for kind in self.sides for content in self.there(kind).values() if content.ttl is not None}
        assert not any(side.waiting for kind, side in self.sides.items() if kind not in mortal), "it never rests"
        for side in self.sides.values():
            there = {n: c for n, c in self.there(side.type).items() if side.wants(n, c.aliases)}
            held = {n: c for n, c in side.held.items() if side.type in self.removes or n in there}
            assert {n: c.text for n, c in held.items()} == {n: c.text for n, c in there.items()}, side.type


class AnyDeltaConversation(AnyConversation):
    """A delta client."""

    aliases = True

    def open(self) -> None:
        self.session = Session(self.group, DeltaExchange, features=self.features)

    def read(self, out: Any) -> Told:
        return read_delta(out)

    def check(self, side: Side, told: Told) -> None:
        again = {name for name, content in told.contents.items() if content.same(side.held.get(name))}
        assert again <= side.excused, "told twice"
        assert all(side.wants(name, content.aliases) for name, content in told.contents.items())
        assert told.removed <= {*side.held, *side.excused}, "took what was not there"
        assert told.contents or told.removed or told.beats or side.owed, "said nothing"
        for name, version in told.beats.items():
            assert name in side.held, f"{name} cannot live on: it is not there"
            assert side.held[name].version == version, "Envoy takes this for an empty content"

    def whole(self, side: Side) -> bool:
        return False

    def send(self, side: Side, nonce: str, error: str | None) -> Answer:
        return self.session.receive(DeltaRequest(side.type, nonce=nonce, error=error), self.now).answer

    @rule(
        type_=TYPES,
        add=NAMES,
        drop=NAMES,
        star=st.sampled_from(["", "+", "-"]),
        nonce=st.sampled_from(["", "stale", "answer"]),
    )
    def subscribe(self, type_: ResourceType, add: frozenset[str], drop: frozenset[str], star: str, nonce: str) -> None:
        side, error = self.sides[type_], None
        if nonce == "answer" and side.waiting is not None:
            nonce, error = side.waiting.nonce, self.verdict(side)
        wildcard = side.wildcard if side.asked else not add and star != "+" and type_ is CDS
        opened = star == "+" or (wildcard and star != "-")
        side.owed = side.owed or (opened and not side.wildcard)
        side.excused |= add | drop
        side.excused |= {name for name, content in side.held.items() if content.aliases & add}
        if opened and not side.wildcard:
            side.excused |= side.held.keys()
        side.ask_for((side.names - drop) | add, wildcard=opened)
        names = (*sorted(add), *(["*"] if star == "+" else []))
        gone = (*sorted(drop), *(["*"] if star == "-" else []))
        self.session.receive(DeltaRequest(type_, names, gone, nonce=nonce, error=error), self.now)
        self.given_up(side)
        self.serve()

    def given_up(self, side: Side) -> None:
        """What is under way and given up is not taken."""
        if side.waiting is not None:
            kept = {n: c for n, c in side.waiting.contents.items() if side.wants(n, c.aliases)}
            side.waiting = side.waiting._replace(contents=kept)

    def resubscribe(self, side: Side) -> None:
        initial = {name: content.version for name, content in side.held.items()}
        names = () if side.legacy else side.list
        side.owed = side.wildcard and not initial
        self.session.receive(DeltaRequest(side.type, names, initial=initial), self.now)


class AnyStateConversation(AnyConversation):
    """A state-of-the-world client."""

    removes = frozenset({CDS})

    def open(self) -> None:
        self.session = Session(self.group, StateExchange, features=self.features)

    def read(self, out: Any) -> Told:
        return read_state(out)

    def whole(self, side: Side) -> bool:
        return side.type is CDS

    def check(self, side: Side, told: Told) -> None:
        timed = {name for name in told.contents if name in side.until}
        assert not told.beats, "Envoy lets die what it hears of without its content"
        if side.type is not CDS:
            assert told.contents, "said nothing"
            again = {name for name, content in told.contents.items() if content.same(side.held.get(name))}
            assert again <= side.excused | timed, "told twice"
        elif {n: c.text for n, c in told.contents.items()} == {n: c.text for n, c in side.held.items()}:
            assert side.excused or side.owed or timed, "the same full state again"
            side.excused.clear()

    def send(self, side: Side, nonce: str, error: str | None) -> Answer:
        return self.session.receive(StateRequest(side.type, side.list, side.version, nonce, error), self.now).answer

    @rule(type_=TYPES, names=NAMES, star=st.booleans(), nonce=st.sampled_from(["", "stale", "last"]))
    def subscribe(self, type_: ResourceType, names: frozenset[str], star: bool, nonce: str) -> None:
        side, error = self.sides[type_], None
        first = not side.asked
        if nonce == "stale" and not first:
            request = StateRequest(type_, tuple(names), "", "stale")
            assert self.session.receive(request, self.now).answer is Answer.STALE
            self.serve()
            return
        side.legacy = not names and not star and type_ is CDS and (first or side.legacy)
        if side.waiting is not None and nonce == "last":  # an answer and a subscription at once
            error = self.verdict(side)
        elif side.waiting is not None:
            side.waiting = None
        if nonce != "last":
            side.nonce = ""  # who begins anew knows no nonce any more
        nonce = side.nonce
        side.owed, side.excused = True, side.excused | EVERY
        side.ask_for(names, wildcard=star or side.legacy)
        self.session.receive(StateRequest(type_, side.list, side.version, nonce, error), self.now)
        self.serve()

    def resubscribe(self, side: Side) -> None:
        self.session.receive(StateRequest(side.type, side.list, side.version), self.now)


PLAN = settings(max_examples=150, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
TestDelta = pytest.mark.timeout(120)(AnyDeltaConversation.TestCase)
TestDelta.settings = PLAN
TestState = pytest.mark.timeout(120)(AnyStateConversation.TestCase)
TestState.settings = PLAN
