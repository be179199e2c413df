"""The schedule of checks on a clock that is moved by hand: who is asked when, and what the answers come to."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import pytest

from tests.harness.declared import instance
from xds.control.ports import Entry
from xds.model.check import Check, CheckKind
from xds.model.health import Health
from xds.model.instance import Instance
from xds.model.intent import Kind, Ref, ref
from xds.model.signal import Signal
from xds.sources.checks.schedule import Schedule
from xds.sources.checks.target import BOOT_LAST, Outcome

GOOD = Outcome(good=True, seconds=0.01)
REFUSED = Outcome(good=False, why="nobody listens")
SILENT = Outcome(good=False, why="no answer", silent=True)
HTTP = Check(CheckKind.HTTP, interval=5.0)


class Round:
    """A schedule, its clock, and the instances as they answer: `answers` by id, GOOD for all others."""

    def __init__(self, chance: Callable[[], float] = lambda: 0.5) -> None:
        self.now = 1000.0
        self.health: dict[str, Health] = {}
        self.said: dict[str, Signal] = {}
        self.asked: list[tuple[float, str]] = []
        self.answers: dict[str, Outcome | None] = {}
        self.schedule = Schedule(chance, lambda member: self.health.get(member, Health.STARTING))

    def register(self, *instances: Instance) -> None:
        self.schedule.committed([Entry(ref(each), None, each, "api:test") for each in instances], self.now)

    def running(self, *names: str, check: Check = HTTP) -> None:
        """Instances that were ready before we started, and have answered well since."""
        for name in names:
            self.health[name] = Health.HEALTHY
        self.register(*[instance(name, check=check) for name in names])
        self.until(self.now + 3 * check.period)
        self.asked.clear()

    def until(self, end: float) -> Mapping[str, Signal]:
        """Ask whoever is due until `end`, each answer at once; return what was said in that time."""
        said: dict[str, Signal] = {}
        while (due := self.schedule.next) is not None and due <= end:
            self.now = max(self.now, due)
            for question in self.schedule.due(self.now, 10_000):
                self.asked.append((self.now, question.target.id))
                outcome = self.answers.get(question.target.id, GOOD)
                said |= self.schedule.answered(question, outcome, self.now)
            self.schedule.look(self.now)
        self.now = end
        self.said |= said
        return said

    def pass_by(self, seconds: float) -> Mapping[str, Signal]:
        return self.until(self.now + seconds)

    def of(self, member: str) -> Health:
        """What was last said of an instance."""
        return self.said[member].health


@pytest.fixture
def round_() -> Round:
    return Round()


def test_m05_ready_is_who_answered_well_several_times_in_a_row(round_: Round) -> None:
    round_.register(instance(check=Check(CheckKind.HTTP, rise=3)))
    round_.answers["web-1"] = REFUSED
    round_.pass_by(1.0)
    assert round_.of("web-1") is Health.STARTING
    assert round_.said["web-1"].why == "not ready yet: nobody listens"
    del round_.answers["web-1"]
    round_.asked.clear()
    while round_.of("web-1") is Health.STARTING:
        round_.pass_by(0.05)
    assert len(round_.asked) == 3
    assert round_.asked[-1][0] - round_.asked[0][0] < 0.25, "once it answers, it is asked quickly again"


def test_m06_questions_slow_down_while_it_boots_from_a_tenth_of_a_second_to_two(round_: Round) -> None:
    round_.register(instance(check=HTTP))
    round_.answers["web-1"] = REFUSED
    round_.pass_by(12.0)
    gaps = [round(later - earlier, 3) for (earlier, _), (later, _) in zip(round_.asked, round_.asked[1:], strict=False)]
    assert gaps[:8] == [0.1, 0.2, 0.4, 0.8, 1.6, BOOT_LAST, BOOT_LAST, BOOT_LAST]


def test_who_was_ready_is_unhealthy_after_three_misses_and_healthy_after_two_answers(round_: Round) -> None:
    round_.running("web-1")
    round_.answers["web-1"] = REFUSED
    round_.pass_by(10.0)
    assert round_.of("web-1") is Health.HEALTHY
    round_.pass_by(5.0)
    assert round_.said["web-1"] == Signal(Health.UNHEALTHY, "nobody listens", round_.said["web-1"].numbers)
    assert round_.said["web-1"].numbers["bad_in_a_row"] == 3
    del round_.answers["web-1"]
    round_.pass_by(5.0)
    assert round_.of("web-1") is Health.UNHEALTHY
    round_.pass_by(5.0)
    assert round_.of("web-1") is Health.HEALTHY, "h1: within an interval of the second good answer"


def test_m49_a_fast_check_sees_a_death_within_half_a_second(round_: Round) -> None:
    round_.running("web-1", check=Check(CheckKind.HTTP, fast=True))
    round_.answers["web-1"] = REFUSED
    round_.pass_by(0.45)
    assert round_.of("web-1") is Health.UNHEALTHY


def test_a_restart_says_nothing_before_it_knows(round_: Round) -> None:
    round_.health["web-1"] = Health.HEALTHY
    round_.register(instance(check=HTTP))
    round_.answers["web-1"] = REFUSED
    assert round_.pass_by(9.0) == {}
    round_.pass_by(5.0)
    assert round_.of("web-1") is Health.UNHEALTHY


def test_what_stands_is_not_said_again(round_: Round) -> None:
    round_.running("web-1")
    assert round_.pass_by(60.0) == {}


def test_who_goes_is_asked_no_more_and_its_answer_on_the_way_counts_for_nothing(round_: Round) -> None:
    round_.running("web-1")
    round_.now += 10
    (question,) = round_.schedule.due(round_.now, 10)
    round_.schedule.committed([Entry(Ref(Kind.INSTANCE, "web-1"), instance(check=HTTP), None, "api:test")], round_.now)
    assert round_.schedule.answered(question, REFUSED, round_.now) == {}
    assert round_.schedule.next is None


def test_h5_five_thousand_that_come_at_once_are_spread_over_their_interval() -> None:
    many = Round(random.Random(5).random)
    names = [f"i{at}" for at in range(5000)]
    many.health = dict.fromkeys(names, Health.HEALTHY)
    many.register(*[instance(name, check=HTTP) for name in names])
    busiest = 0
    for step in range(50):
        many.now = 1000.0 + step * 0.1
        busiest = max(busiest, len(many.schedule.due(many.now, 10_000)))
    assert busiest < 3 * 5000 / 50


def test_h5_more_than_can_be_asked_at_once_wait_and_are_late_not_failed(round_: Round) -> None:
    names = [f"i{at}" for at in range(100)]
    round_.health = dict.fromkeys(names, Health.HEALTHY)
    round_.register(*[instance(name, check=HTTP) for name in names])
    round_.now += 60
    first = round_.schedule.due(round_.now, 30)
    assert len(first) == 30
    assert all(question.late > 50 for question in first)
    assert len(round_.schedule.due(round_.now, 1000)) == 70
    assert round_.schedule.late == 100
    for question in first:
        assert round_.schedule.answered(question, None, round_.now) == {}, "lost by our own fault: nothing is counted"
        assert question.target.bad == 0


def test_m48_a_suspect_is_asked_at_once_and_its_answer_is_the_verdict(round_: Round) -> None:
    round_.running("web-1", "web-2")
    since = round_.now
    assert round_.schedule.verdict("web-1", since) is None
    round_.answers["web-2"] = REFUSED
    round_.schedule.suspect(["web-1", "web-2", "ghost"], since)
    round_.until(since)
    assert round_.schedule.verdict("web-1", since) is True
    assert round_.schedule.verdict("web-2", since) is False
    assert round_.schedule.verdict("ghost", since) is None


def test_m48_an_answer_to_a_question_from_before_the_suspicion_is_no_verdict(round_: Round) -> None:
    round_.running("web-1")
    round_.now += 10
    (question,) = round_.schedule.due(round_.now, 10)
    round_.now += 0.5
    round_.schedule.suspect(["web-1"], round_.now)
    round_.schedule.answered(question, GOOD, round_.now)
    assert round_.schedule.verdict("web-1", round_.now) is None
    assert [again.target.id for again in round_.schedule.due(round_.now, 10)] == ["web-1"]


def test_m04_a_heartbeat_in_time_is_a_good_answer_and_none_is_a_bad_one(round_: Round) -> None:
    check = Check(CheckKind.TTL, interval=10.0, rise=1, fall=2)
    round_.register(instance(check=check))
    round_.said |= round_.schedule.beat("web-1", round_.now)
    assert round_.of("web-1") is Health.HEALTHY
    round_.answers["web-1"] = SILENT
    round_.pass_by(10.0)
    assert round_.of("web-1") is Health.HEALTHY
    round_.pass_by(10.5)
    assert round_.of("web-1") is Health.UNHEALTHY
    assert round_.schedule.beat("web-1", round_.now)["web-1"].health is Health.HEALTHY


def test_heartbeats_that_we_could_not_hear_are_not_counted(round_: Round) -> None:
    round_.register(instance(check=Check(CheckKind.TTL, interval=10.0, rise=1, fall=1)))
    round_.schedule.beat("web-1", round_.now)
    round_.now += 60
    round_.schedule.forgive(round_.now)
    assert round_.schedule.due(round_.now, 10) == []


# -- blindness ----------------------------------------------------------------------------------------------------


def town(names: list[str]) -> Round:
    """As many instances as names, all up, asked in turn."""
    made = Round(random.Random(2).random)
    made.running(*names)
    return made


def blind_town() -> Round:
    """All of ten fall silent."""
    made = town([f"i{at}" for at in range(10)])
    made.answers = dict.fromkeys([f"i{at}" for at in range(10)], SILENT)
    return made


def test_h2_when_most_fall_silent_at_once_nobody_is_judged_and_somebody_is_called() -> None:
    made = blind_town()
    assert not {signal.health for signal in made.pass_by(60.0).values()} - {Health.HEALTHY}
    assert made.schedule.blind
    assert [alarm.kind for alarm in made.schedule.alarms(made.now)] == ["blind"]


def test_h2_sight_comes_back_after_two_good_rounds_and_then_the_dead_are_found() -> None:
    made = blind_town()
    made.pass_by(60.0)
    made.answers = {"i3": SILENT}
    made.pass_by(8.0)
    assert [alarm.kind for alarm in made.schedule.alarms(made.now)] == ["blind"], "one round is not two"
    made.pass_by(12.0)
    assert made.schedule.alarms(made.now) == []
    made.pass_by(20.0)
    assert made.of("i3") is Health.UNHEALTHY
    assert [name for name, signal in made.said.items() if signal.health is Health.UNHEALTHY] == ["i3"]


def test_h2_what_was_missed_while_it_was_blind_makes_nobody_unstable() -> None:
    made = blind_town()
    made.pass_by(60.0)
    made.answers = {}
    assert not {signal.health for signal in made.pass_by(60.0).values()} - {Health.HEALTHY}
    assert not made.schedule.blind


def test_h1_all_that_refuse_are_unhealthy_because_who_is_refused_is_not_blind() -> None:
    made = town([f"i{at}" for at in range(10)])
    made.answers = dict.fromkeys([f"i{at}" for at in range(10)], REFUSED)
    made.pass_by(20.0)
    assert {made.of(f"i{at}") for at in range(10)} == {Health.UNHEALTHY}
    assert not made.schedule.blind
    made.answers.pop("i4")
    made.pass_by(10.5)
    assert made.of("i4") is Health.HEALTHY


def test_h1_less_than_half_that_fall_silent_are_unhealthy() -> None:
    made = town([f"i{at}" for at in range(10)])
    made.answers = dict.fromkeys(["i1", "i2", "i3", "i4"], SILENT)
    made.pass_by(20.0)
    assert [made.of(f"i{at}") for at in range(1, 5)] == [Health.UNHEALTHY] * 4


def test_h2_three_targets_are_too_few_to_doubt_ones_own_eyes() -> None:
    made = town(["a", "b", "c"])
    made.answers = dict.fromkeys("abc", SILENT)
    made.pass_by(20.0)
    assert {made.of(name) for name in "abc"} == {Health.UNHEALTHY}
