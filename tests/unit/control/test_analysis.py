"""Measurements move rollouts: what the driver says, with a clock and a count of the test's own."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from tests.harness.declared import WEB, Book, instance
from xds.control.analysis import LOOK, Analyst, hosts_of, why
from xds.model.analysis import Analysis, NoData, Verdict
from xds.model.declare import StartRollout
from xds.model.intent import Kind
from xds.model.names import ServiceKey
from xds.model.rollout import (
    Acked,
    Doubted,
    Elapsed,
    Event,
    Failed,
    Pause,
    Phase,
    Resume,
    Rollout,
    SetWeight,
    Step,
)
from xds.model.traffic import Counts, Sample

RATE = Analysis(success_rate=9900, wait=60.0)
PLAN = (Step(500, 10.0), Step(5000, 10.0))


NOTHING = Sample()


@dataclass
class Count:
    """A tally that has what the test says."""

    env: str
    groups: Sequence[Collection[str]]
    canary: Sample = NOTHING
    open: bool = True

    def read(self) -> Sequence[Sample]:
        return [self.canary, NOTHING]

    def close(self) -> None:
        self.open = False


@dataclass
class Counter:
    """The port of telemetry, as far as an analyst asks it; the last tally is the present one."""

    tallies: list[Count] = field(default_factory=list)

    def tally(self, env: str, groups: Sequence[Collection[str]]) -> Count:
        self.tallies.append(Count(env, groups))
        return self.tallies[-1]


class Desk:
    """A rollout of v2 that is judged, and its analyst."""

    def __init__(self, analysis: Analysis | None = RATE, *plan: Step) -> None:
        self.book, self.now, self.counter = Book(), 100.0, Counter()
        self.book.put(instance("web-1", "v1"), instance("web-2", "v2"))
        started = self.book.enter(StartRollout(WEB, "v2", plan or PLAN, analysis=analysis))
        assert isinstance(started, Rollout)
        self.rollout = started
        self.analyst = Analyst(self.book.intent)
        self.analyst.traffic = self.counter

    def step(self, *events: Event) -> None:
        self.rollout = self.book.step(self.rollout, *events)

    def look(self, later: float = 0.0) -> Event | None:
        """What follows, `later` seconds after the last look."""
        self.now += later
        event, again = self.analyst.look(self.rollout, self.now)
        assert again is None or again == self.now + LOOK
        assert event is None or again is None
        return event

    def measured(self, requests: int, errors: int = 0, age: float = 0.0) -> None:
        self.counter.tallies[-1].canary = Sample(Counts(requests, errors), Counts(), age=age)


def test_a_step_goes_on_when_its_pause_is_over_and_enough_requests_were_good() -> None:
    desk = Desk()
    desk.step(Acked())
    assert desk.look() is None
    desk.measured(1000, 2)
    assert desk.look(9.9) is None
    event = desk.look(0.1)
    assert isinstance(event, Elapsed)
    assert why(event).startswith("judged good: 1,000 requests, at least 100 are wanted; success rate 99.8 % of 1,000")
    desk.step(event)
    assert (desk.rollout.weight, desk.rollout.phase) == (5000, Phase.SHIFTING)


def test_evidence_and_not_the_clock_moves_a_step_without_a_pause() -> None:
    desk = Desk(RATE, Step(500), Step(5000))
    desk.step(Acked())
    assert desk.look() is None
    desk.measured(99)
    assert desk.look(30) is None
    desk.measured(100)
    assert isinstance(desk.look(LOOK), Elapsed)


def test_too_few_requests_are_waited_for_beyond_the_pause_and_then_it_pauses_without_data() -> None:
    desk = Desk()
    desk.step(Acked())
    desk.look()
    desk.measured(12)
    assert desk.look(69.9) is None
    event = desk.look(0.1)
    assert isinstance(event, Doubted)
    desk.step(event)
    assert desk.rollout.phase is Phase.PAUSED
    assert desk.rollout.reason.startswith("no data: 12 requests, at least 100 are wanted")
    assert desk.rollout.judged[0].judgement.held == 70.0


def test_no_data_may_mean_that_it_goes_back_or_on() -> None:
    for meaning, kind in ((NoData.FAIL, Failed), (NoData.PASS, Elapsed)):
        desk = Desk(Analysis(success_rate=9900, wait=0.0, no_data=meaning))
        desk.step(Acked())
        desk.look()
        assert isinstance(desk.look(10.0), kind)


def test_a_failure_goes_back_and_without_rollback_it_stops() -> None:
    for rollback, kind, phase in ((True, Failed, Phase.ABORTING), (False, Doubted, Phase.PAUSED)):
        desk = Desk(Analysis(success_rate=9900, rollback=rollback))
        desk.step(Acked())
        desk.look()
        desk.measured(1204, 106)
        event = desk.look(10.0)
        assert isinstance(event, kind)
        desk.step(event)
        assert desk.rollout.phase is phase
        assert "success rate 91.19 % of 1,204 requests, at least 99 % is wanted" in desk.rollout.reason
        assert desk.look(10.0) is None, "it is said once"


def test_a_hard_failure_goes_back_while_it_shifts_while_it_holds_and_while_it_is_paused() -> None:
    for events in ((), (Acked(),), (Acked(), Pause()), (Acked(), SetWeight(700), Acked())):
        desk = Desk()
        desk.step(*events)
        assert desk.look() is None
        desk.measured(20, 10)
        event = desk.look(LOOK)
        assert isinstance(event, Failed), events
        assert event.judgement.verdict is Verdict.HARD_FAIL


def test_a_weight_set_by_hand_is_not_judged_by_its_criteria_but_fails_hard() -> None:
    desk = Desk()
    desk.step(SetWeight(700), Acked())
    desk.look()
    desk.measured(1000, 100)
    assert desk.look(600) is None


def test_what_is_measured_begins_anew_with_each_weight_and_with_its_acknowledgement() -> None:
    desk = Desk()
    desk.look()
    desk.step(Acked())
    desk.look()
    desk.look(1.0)
    desk.step(Elapsed())
    desk.look()
    assert [count.open for count in desk.counter.tallies] == [False, False, True]
    assert desk.counter.tallies[-1].groups == [["web/v2"], ["web/v1"]]
    judgement = desk.analyst.judgement(desk.rollout, desk.now)
    assert judgement is not None
    assert judgement.held == 0.0


def test_a_pause_keeps_what_was_measured_and_resume_does_not_ask_it() -> None:
    desk = Desk()
    desk.step(Acked())
    desk.look()
    desk.step(Pause())
    desk.look(5.0)
    assert len(desk.counter.tallies) == 1
    desk.step(Resume())
    assert desk.rollout.weight == 5000, "somebody has decided"


def test_nobody_is_asked_where_nobody_has_the_version_and_at_the_end() -> None:
    desk = Desk(RATE, Step(0, None), Step(500, 10.0))
    desk.step(Acked())
    assert desk.analyst.look(desk.rollout, desk.now) == (None, None)
    assert desk.counter.tallies == []
    desk.step(Resume(), Acked())
    desk.look()
    desk.measured(40, 40)
    event = desk.look(1.0)
    assert isinstance(event, Failed)
    desk.step(event)
    assert desk.analyst.look(desk.rollout, desk.now) == (None, None)
    assert not desk.counter.tallies[-1].open


def test_a_step_of_nobody_in_the_middle_of_a_plan_is_a_matter_of_time() -> None:
    desk = Desk(RATE, Step(0, 10.0), Step(500, 10.0))
    desk.step(Acked())
    assert (desk.rollout.phase, desk.look()) == (Phase.HOLDING, None)


def test_without_criteria_nothing_is_measured() -> None:
    desk = Desk(None)
    desk.step(Acked())
    assert desk.analyst.look(desk.rollout, desk.now) == (None, None)
    assert desk.counter.tallies == []


def test_without_anybody_who_counts_nothing_is_good() -> None:
    desk = Desk()
    desk.analyst.traffic = None
    desk.step(Acked())
    desk.look()
    event = desk.look(70.0)
    assert isinstance(event, Doubted)
    assert "no Envoy has reported any requests yet" in event.judgement.reason


def test_a_version_whose_instances_are_gone_goes_back_but_one_that_still_starts_is_waited_for() -> None:
    desk = Desk()
    desk.book.delete(Kind.INSTANCE, "web-2")
    assert desk.look(100.0) is None
    assert desk.look(100.0) is None
    desk.step(Acked())
    assert desk.look() is None
    assert desk.look(19.9) is None
    event = desk.look(0.1)
    assert isinstance(event, Failed)
    assert event.judgement.reason == "it had no healthy instance for 20 s"


def test_an_instance_that_comes_back_in_time_is_forgiven() -> None:
    desk = Desk()
    desk.step(Acked())
    desk.look()
    desk.book.delete(Kind.INSTANCE, "web-2")
    desk.look(1.0)
    desk.book.put(instance("web-3", "v2"))
    assert desk.look(15.0) is None
    desk.book.delete(Kind.INSTANCE, "web-3")
    assert desk.look(15.0) is None


def test_a_rollout_that_is_gone_is_not_counted_any_more() -> None:
    desk = Desk()
    desk.look()
    desk.analyst.keep(())
    assert not desk.counter.tallies[-1].open


def test_named_ports_are_part_of_a_service_unless_they_are_one_themselves() -> None:
    book = Book()
    book.put(instance("web-1", ports={"http": 80, "admin": 81, "grpc": 82}))
    assert hosts_of(book.intent, WEB) == ["web", "web.admin", "web.grpc"]
    book.put(instance("other", service=ServiceKey("default", "web.grpc")))
    assert hosts_of(book.intent, WEB) == ["web", "web.admin"]
