"""The verdict: what held passes, and each broken promise is told by name, expected and seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.demo.users import NEW, OLD, play_round, some_ledger, users_of
from xds.cli.demo.command import SEED
from xds.cli.demo.ledger import Ledger
from xds.cli.demo.runner import SALT, Options, population
from xds.cli.demo.verdict import Gate, Measured, judge, measure, tolerance

DONE = Gate("done", acked=3, live=3, seconds=0.1)


def measured(weight: int = 2500, *, users: int = 4000) -> Measured:
    """A step at which everything held."""
    ledger = some_ledger(users)
    ledger.moving(weight)
    window = ledger.moved(2000)
    while not window.is_full:
        play_round(ledger)
    return measure("canary", DONE, 3, ledger, window)


def broken_names(seen: Measured) -> list[str]:
    return [broken.expectation for broken in judge(seen)]


@pytest.mark.parametrize("weight", [0, 500, 2500, 5000, 10_000])
def test_a_step_at_which_everything_held_breaks_nothing(weight: int) -> None:
    assert judge(measured(weight)) == ()


def test_a_user_who_went_back_breaks_a_step() -> None:
    ledger = some_ledger()
    ledger.moving(2500)
    window = ledger.moved(1)
    user = users_of(ledger, NEW)[0]
    for version in (NEW, OLD):
        ledger.answered(ledger.leave(user), version)
    broken = judge(measure("canary 25 %", DONE, 3, ledger, window))
    assert "users that went back" in [each.expectation for each in broken]


def test_a_failed_request_breaks_a_step_and_is_told_with_its_reason() -> None:
    seen = replace(measured(), failed="1 (user-7: status 500 from v2)")
    (broken,) = judge(seen)
    assert str(broken) == "canary: failed requests: expected 0, seen 1 (user-7: status 500 from v2)"


def test_one_user_too_many_at_the_new_version_breaks_a_step() -> None:
    """The users are known, so their number is exact: chance excuses nothing."""
    seen = measured()
    assert broken_names(replace(seen, users_seen=seen.users_seen + 1)) == ["users at the new version"]


def test_a_share_far_from_the_weight_breaks_a_step() -> None:
    seen = measured()
    assert broken_names(replace(seen, share=30.0)) == ["share of the new version"]


def test_a_split_at_random_is_found_by_its_users_even_though_the_share_is_right() -> None:
    """What an Envoy without the filter does: each request is drawn anew."""
    ledger = some_ledger()
    ledger.moving(5000)
    window = ledger.moved(2000)
    turn = 0
    while not window.is_full:
        ledger.answered(ledger.leave(turn % len(ledger.users)), (OLD, NEW)[(turn * 7919) % 2])
        turn += 3
    names = broken_names(measure("canary", DONE, 3, ledger, window))
    assert "users away from where the hash puts them" in names
    assert "share of the new version" not in names


@pytest.mark.parametrize(
    "gate",
    [
        Gate("waiting", acked=2, live=3, seconds=15.0),
        Gate("blocked", acked=0, live=0, seconds=15.0, reason="no live Envoy holds a route to web"),
        Gate("done", acked=2, live=2, seconds=0.1),
    ],
    ids=["one is late", "none is there", "one is missing"],
)
def test_an_envoy_that_did_not_acknowledge_breaks_a_step(gate: Gate) -> None:
    broken = judge(replace(measured(), gate=gate))
    assert [each.expectation for each in broken] == ["Envoys that acknowledged"]
    assert broken[0].expected == "3 of 3"
    assert gate.reason in broken[0].seen


def test_fewer_than_2000_requests_prove_nothing() -> None:
    assert broken_names(replace(measured(), requests=1999)) == ["requests since the step was done"]


def test_few_users_are_watched_for_2000_requests_all_the_same() -> None:
    seen = measured(users=300)
    assert seen.requests == 2100
    assert judge(seen) == ()


def test_the_tolerance_follows_from_the_number_of_users_and_is_a_point_at_least() -> None:
    """Four standard deviations of a binomial distribution."""
    assert tolerance(50, 400) == pytest.approx(10)
    assert tolerance(50, 1_000_000) == 1
    assert tolerance(0, 400) == 1


@pytest.mark.parametrize("weight", [500, 2500, 5000])
def test_the_users_drawn_by_default_are_within_one_point_of_every_weight_of_the_story(weight: int) -> None:
    options = Options()
    assert options.seed == SEED
    ledger = Ledger(population(options.users, options.seed), old=OLD, new=NEW, salt=SALT)
    ledger.moving(weight)
    assert abs(100 * ledger.on_new(ledger.wanted) / options.users - weight / 100) < 1
