"""R1: too much silence at once is held, of a service and of all; what went is counted for a minute; limits end it."""

from __future__ import annotations

from math import ceil, inf, nan

import pytest

from tests.unit.sources.house import TTL, House
from xds.model.alarm import Priority
from xds.model.check import Check, CheckKind
from xds.model.health import Health
from xds.model.names import ServiceKey
from xds.model.problems import InvalidInput
from xds.sources.leases import PASS
from xds.sources.preservation import FLOOR, Rules, Silence, is_too_much

CHECK = Check(CheckKind.TCP)
SIZES = (1, 2, 3, 7, 20)
SHARES = (0.3, 0.6, 1.0)


@pytest.fixture
def house() -> House:
    return House()


def names(size: int, prefix: str = "i") -> list[str]:
    return [f"{prefix}{at:03}" for at in range(size)]


def silence(house: House, talking: list[str], seconds: float, every: float = PASS) -> list[str]:
    """Let time pass in which only some speak; who went, in order."""
    gone: list[str] = []
    for _ in range(round(seconds / every)):
        house.time.now += every
        for name in talking:
            house.leases.renew(name)
        gone += house.after(0)
    return gone


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("share", SHARES)
def test_r1_a_share_of_a_service_lapses_in_one_tick(house: House, size: int, share: float) -> None:
    """At most max(1, 15 %) may go, never the last; more than that is held: marked, still there, alarmed."""
    silent = names(size)[: ceil(size * share)]
    talking = names(size)[len(silent) :]
    allowed = max(1, int(size * 0.15))
    house.register(*names(size))
    gone = silence(house, talking, TTL + 120)
    if len(silent) <= allowed and len(silent) < size:
        assert gone == silent
        assert house.alarms() == set()
    else:
        assert gone == []
        assert {house.said(name) for name in silent} == {Health.UNHEALTHY}
        assert {alarm.priority for alarm in house.last.alarms} == {Priority.PAGE}
        assert ("hold", "default/web") in house.alarms()
    assert {house.said(name) for name in talking} <= {None}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("share", SHARES)
def test_r1_the_hold_ends_when_renewals_return(house: House, size: int, share: float) -> None:
    silent = names(size)[: ceil(size * share)]
    house.register(*names(size))
    silence(house, names(size)[len(silent) :], TTL + 5)
    there = [name for name in silent if name in house.intent.instances]
    silence(house, names(size), 65)
    assert house.alarms() == set()
    assert {house.said(name) for name in there} <= {None}


@pytest.mark.parametrize("share", SHARES)
def test_r1_a_share_of_all_leases_lapses_in_one_tick(house: House, share: float) -> None:
    """Forty services of two: one of each is little for a service, and far too much for a registry."""
    talking: list[str] = []
    silent: list[str] = []
    for at in range(40):
        pair = names(2, f"s{at}-")
        house.register(*pair, service=ServiceKey("default", f"s{at}"))
        dead = 2 if share == 1.0 else 1 if at < 80 * share else 0
        silent, talking = silent + pair[:dead], talking + pair[dead:]
    assert silence(house, talking, TTL + 120) == []
    assert ("hold", "registry") in house.alarms()
    assert {house.said(name) for name in silent} == {Health.UNHEALTHY}


def test_r1_a_few_of_all_are_for_their_services_to_decide(house: House) -> None:
    for at in range(FLOOR):
        house.register(*names(2, f"s{at}-"), service=ServiceKey("default", f"s{at}"))
    gone = silence(house, [f"s{at}-001" for at in range(FLOOR)], TTL + 5)
    assert sorted(gone) == [f"s{at}-000" for at in range(FLOOR)]


def test_r1_what_dribbles_away_does_not_slip_under_the_rule(house: House) -> None:
    """One lapses every five seconds: after the first the others are held, since a minute counts as one moment."""
    house.register(*names(6))
    gone: list[str] = []
    for at in range(5):
        gone += silence(house, names(6)[at + 1 :], 5)
    gone += silence(house, ["i005"], TTL + 20)
    assert gone == ["i000"]


def test_r1_a_decline_of_one_a_minute_passes(house: House) -> None:
    house.register(*names(4))
    for at in range(3):
        assert silence(house, names(4)[at + 1 :], 75) == [f"i{at:03}"]
    assert silence(house, [], 300) == []


def test_r1_a_held_one_whose_check_fails_goes_after_a_while_and_one_by_one(house: House) -> None:
    house.register(*names(7), check=CHECK)
    house.probes.verdicts = dict.fromkeys(names(7), False)
    assert silence(house, [], TTL + 59) == []
    gone = [silence(house, [], PASS) for _ in range(12)]
    assert max(map(len, gone)) == 1
    assert sorted(name for each in gone for name in each) == names(7)
    assert house.reasons["i000"] == ("its lease ran out, and its check fails", False)


def test_r1_a_held_one_without_a_check_goes_after_the_hard_limit_and_the_last_never() -> None:
    house = House(Rules(hard_limit=120.0))
    house.register(*names(3))
    assert silence(house, [], TTL + 119) == []
    assert len(silence(house, [], 1)) == 1
    assert len(silence(house, [], 30)) == 1
    assert silence(house, [], 600) == []
    assert len(house.intent.instances) == 1


def test_r1_nobody_goes_whose_check_is_good_however_long(house: House) -> None:
    """Heartbeats that do not arrive anywhere are our way to them, not their death."""
    house.register(*names(7), check=CHECK)
    house.probes.verdicts = dict.fromkeys(names(7), True)
    assert silence(house, [], 2 * 3600, every=30) == []
    assert {house.said(name) for name in names(7)} <= {None}


def test_instances_without_a_lease_are_others_that_are_left(house: House) -> None:
    house.register("static", ttl=None)
    house.register("a")
    assert silence(house, [], TTL) == ["a"]


@pytest.mark.parametrize(
    ("silent", "held", "lost", "too_much"),
    [
        (0, 10, 9, False),
        (1, 1, 0, False),
        (1, 6, 0, False),
        (2, 13, 0, True),
        (2, 14, 0, False),
        (3, 20, 0, False),
        (3, 19, 1, True),
        (15, 100, 0, False),
        (16, 100, 0, True),
    ],
)
def test_more_than_15_percent_is_too_much_and_one_never_is(
    silent: int, held: int, lost: int, *, too_much: bool
) -> None:
    assert is_too_much(Silence(silent, held, lost), Rules()) is too_much


@pytest.mark.parametrize("field", ["share", "window", "failed_for", "hard_limit", "patience"])
@pytest.mark.parametrize("value", [-1.0, nan, inf])
def test_a_rule_that_means_nothing_is_refused_with_its_field(field: str, value: float) -> None:
    with pytest.raises(InvalidInput) as caught:
        Rules(**{field: value})
    assert caught.value.pointer == f"/{field}"
