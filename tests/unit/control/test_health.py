"""The board of words: what sources say of an instance, and what that makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import pytest

from tests.harness.declared import instance
from xds.control.damping import CALM, FLAPS, HOLD
from xds.control.health import HealthBoard
from xds.control.ports import Entry
from xds.model.alarm import Priority
from xds.model.check import Check, CheckKind
from xds.model.health import Health
from xds.model.instance import Instance
from xds.model.intent import Declared, Intent, Kind, Ref, ref
from xds.model.signal import Signal

CHECKED = Check(CheckKind.HTTP)
GOOD = Signal(Health.HEALTHY, "2 of 2 answers were good")
BAD = Signal(Health.UNHEALTHY, "3 of 3 answers were bad")


class House:
    """A board over an intent that follows it."""

    def __init__(self) -> None:
        self.intent = Intent()
        self.now = 1000.0
        self.noted: list[tuple[str, str, str]] = []
        self.board = HealthBoard(
            self.intent, lambda m, before, v: self.noted.append((m, before, f"{v.health} ({v.source})"))
        )

    def register(self, *instances: Instance) -> None:
        self._commit({ref(each): each for each in instances})

    def remove(self, *names: str) -> None:
        self._commit({Ref(Kind.INSTANCE, name): None for name in names})

    def say(self, source: str, signal: Signal | None, member: str = "web-1") -> Health:
        self.now += 60.0  # long after whatever was before
        return self.add(source, signal, member)

    def add(self, source: str, signal: Signal | None, member: str = "web-1") -> Health:
        """Say something now."""
        self.intent.observe_health(self.board.hear({(source, member): signal}, self.now))
        return self.intent.health(member)

    def pass_by(self, seconds: float) -> list[float]:
        """Let time pass, and what was held back become true when it is time; return when it did."""
        told: list[float] = []
        end = self.now + seconds
        while (due := self.board.deadline) is not None and due <= end:
            self.now = max(self.now, due)
            told += [self.now] * self.intent.observe_health(self.board.due(self.now))
        self.now = end
        return told

    def _commit(self, writes: Mapping[Ref, Declared | None]) -> None:
        entries = [Entry(name, self.intent.get(name), after, "api:test") for name, after in writes.items()]
        self.intent.commit(writes, self.intent.revision + 1)
        self.intent.observe_health(self.board.committed(entries, self.now))


@pytest.fixture
def house() -> House:
    return House()


def test_a_word_stands_until_its_source_takes_it_back(house: House) -> None:
    house.register(instance())
    assert house.say("lease", BAD) is Health.UNHEALTHY
    assert house.say("traffic", GOOD) is Health.UNHEALTHY
    assert house.say("lease", None) is Health.HEALTHY


def test_m05_an_instance_with_a_check_starts_until_the_check_is_content(house: House) -> None:
    house.register(instance(check=CHECKED), instance("web-2"))
    assert house.intent.health("web-2") is Health.HEALTHY
    assert house.intent.health("web-1") is Health.STARTING
    assert house.say("traffic", GOOD) is Health.STARTING
    assert house.say("check", BAD) is Health.STARTING, "what was never ready does not become merely unhealthy"
    assert house.say("check", GOOD) is Health.HEALTHY
    assert house.say("check", BAD) is Health.UNHEALTHY, "and what was once ready does"


def test_a_check_that_is_given_up_frees_who_was_not_ready(house: House) -> None:
    house.register(instance(check=CHECKED))
    house.say("check", BAD)
    house.register(instance())
    assert house.intent.health("web-1") is Health.HEALTHY


def test_who_comes_back_while_its_loss_is_held_goes_on_as_it_was(house: House) -> None:
    """A whole agent that returns would otherwise empty what the guard has just saved."""
    house.register(instance(check=CHECKED))
    house.say("check", GOOD)
    gone = Ref(Kind.INSTANCE, "web-1")
    house.intent.commit({gone: None}, 2, absent=[gone])
    house.register(instance(check=CHECKED))
    assert house.intent.health("web-1") is Health.HEALTHY


def test_a_lease_that_ran_out_counts_for_less_than_an_answer(house: House) -> None:
    house.register(instance(check=CHECKED))
    house.say("check", GOOD)
    assert house.say("lease", BAD) is Health.HEALTHY
    assert house.board.verdict("web-1").overruled == ("lease",)
    assert house.say("check", BAD) is Health.UNHEALTHY


def test_a_check_that_gets_no_answer_counts_for_less_than_traffic_that_does(house: House) -> None:
    house.register(instance(check=CHECKED))
    house.say("check", GOOD)
    house.say("traffic", Signal(Health.HEALTHY, "99 % of 1,000 requests"))
    assert house.say("check", Signal(Health.UNHEALTHY, "no answer", {"silent": 1})) is Health.UNSTABLE
    assert house.say("check", Signal(Health.UNHEALTHY, "it answers 500", {"silent": 0})) is Health.UNHEALTHY
    house.say("check", Signal(Health.UNHEALTHY, "no answer", {"silent": 1}))
    assert house.say("traffic", None) is Health.UNHEALTHY


def test_the_word_of_who_runs_it_counts_beside_a_check_and_less_than_traffic_where_it_came_to_no_end(
    house: House,
) -> None:
    """M04: an engine that is overloaded cannot run its checks, and what it checks may serve all the same."""
    house.register(instance())
    assert house.say("runtime", Signal(Health.UNHEALTHY, "exit code 1")) is Health.UNHEALTHY
    assert house.say("runtime", Signal(Health.HEALTHY, "it says healthy")) is Health.HEALTHY
    house.say("traffic", Signal(Health.HEALTHY, "99 % of 1,000 requests"))
    assert house.say("runtime", Signal(Health.UNHEALTHY, "no end", {"silent": 1})) is Health.UNSTABLE
    assert house.say("runtime", Signal(Health.UNHEALTHY, "exit code 1")) is Health.UNHEALTHY
    assert house.noted[-1] == ("web-1", "unstable", "unhealthy (runtime)")


def test_m24_a_flap_at_two_hertz_is_told_at_most_once_a_second_and_its_last_state_always(house: House) -> None:
    house.register(instance())
    told = flap(house, hertz=2.0, seconds=5.0)
    assert all(later - earlier >= HOLD for earlier, later in pairwise(told))
    assert len(told) >= 3
    house.add("check", BAD)
    settle(house)
    assert house.intent.health("web-1") is Health.UNHEALTHY
    house.add("check", GOOD)
    settle(house)
    assert house.intent.health("web-1") is Health.HEALTHY
    assert house.board.deadline is None, "and after a while nothing is remembered"


def test_r6_a_flap_at_ten_hertz_is_taken_out_told_as_flapping_and_believed_when_it_stays_well(house: House) -> None:
    house.register(instance())
    told = flap(house, hertz=10.0, seconds=30.0)
    assert len(told) <= FLAPS + 1
    assert [alarm.kind for alarm in house.board.alarms(house.now)] == ["flapping", "floor"]
    assert house.intent.health("web-1") is Health.UNHEALTHY
    house.add("check", GOOD)
    until = house.now + CALM
    while house.now < until - 0.3:
        house.pass_by(0.1)
        assert house.intent.health("web-1") is Health.UNHEALTHY
    house.pass_by(0.5)
    assert house.intent.health("web-1") is Health.HEALTHY
    settle(house)
    assert house.board.alarms(house.now) == []


def test_h1_a_service_of_which_nobody_is_healthy_is_an_alarm_until_one_is(house: House) -> None:
    house.register(instance(), instance("web-2"))
    house.say("check", BAD)
    assert [alarm.kind for alarm in house.board.alarms(house.now)] == []
    house.say("check", BAD, "web-2")
    (alarm,) = house.board.alarms(house.now)
    assert (alarm.kind, alarm.object, alarm.priority) == ("floor", "default/web", Priority.PAGE)
    house.say("check", GOOD, "web-2")
    assert house.board.alarms(house.now) == []


def test_m47_who_is_unstable_is_noted(house: House) -> None:
    house.register(instance())
    house.say("check", Signal(Health.UNSTABLE, "4 of the last 20 answers were bad"))
    (alarm,) = house.board.alarms(house.now)
    assert (alarm.kind, alarm.object, alarm.priority) == ("unstable", "web-1", Priority.NOTE)


def test_the_first_change_is_never_held_back(house: House) -> None:
    house.register(instance())
    assert house.add("check", BAD) is Health.UNHEALTHY


def test_each_change_is_noted_with_who_decided(house: House) -> None:
    house.register(instance())
    house.say("lease", BAD)
    house.say("lease", None)
    assert house.noted == [("web-1", "healthy", "unhealthy (lease)"), ("web-1", "unhealthy", "healthy (nobody)")]


def flap(house: House, *, hertz: float, seconds: float) -> list[float]:
    """Let an instance turn so often, both ways within each period; return when it was told."""
    told: list[float] = []
    end, good = house.now + seconds, False
    while house.now < end:
        before = house.intent.health("web-1")
        house.add("check", GOOD if good else BAD)
        if house.intent.health("web-1") is not before:
            told.append(house.now)
        told += house.pass_by(0.5 / hertz)
        good = not good
    return told


def settle(house: House) -> None:
    for _ in range(700):
        house.pass_by(0.1)


def test_words_end_with_their_instance(house: House) -> None:
    house.register(instance())
    house.say("lease", BAD)
    house.remove("web-1")
    house.register(instance())
    assert house.intent.health("web-1") is Health.HEALTHY
    assert house.board.words("web-1") == {}
    assert house.say("lease", BAD, "ghost") is Health.HEALTHY
