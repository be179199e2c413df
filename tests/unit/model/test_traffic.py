"""Sums of traffic: what adds up, what does not, and what a quantile of buckets is worth."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.model.traffic import MOST_BUCKETS, MOST_CATEGORIES, Answers, Attempts, Latency, success_rate

BOUNDS = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)


def latency(times: list[float]) -> Latency:
    """The buckets of some times."""
    found = Latency()
    for time in times:
        above = max(bound for bound in BOUNDS if bound < time)
        found.add(Latency({(above, BOUNDS[BOUNDS.index(above) + 1]): 1}))
    return found


@given(st.lists(st.floats(0.1, 1000), min_size=1), st.floats(0, 1))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(times: list[float], share: float) -> None:
    found = latency(times).quantile(share)
    true = sorted(times)[max(0, math.ceil(share * len(times)) - 1)]
    above = max(bound for bound in BOUNDS if bound < true)
    assert found is not None
    assert above <= found <= BOUNDS[BOUNDS.index(above) + 1] * (1 + 1e-9)


def test_a_quantile_is_evenly_spread_inside_its_bucket() -> None:
    assert Latency({(10.0, 20.0): 4}).quantile(0.5) == 15.0
    assert Latency({(0.0, 10.0): 50, (10.0, 20.0): 50}).quantile(0.99) == pytest.approx(19.8)


def test_there_is_no_quantile_of_nothing() -> None:
    assert Latency().quantile(0.5) is None


def test_a_bucket_without_an_end_gives_its_beginning() -> None:
    assert Latency({(60_000.0, math.inf): 3}).quantile(0.99) == 60_000.0


def test_later_reports_of_an_envoy_add_up_but_what_is_in_progress_is_the_last() -> None:
    held = Attempts(10, 1, 12, in_progress=2, drops={"lb": 1})
    held.follow(Attempts(5, 5, 4, in_progress=1, drops={"lb": 2, "full": 1}))
    assert held == Attempts(15, 6, 16, in_progress=1, drops={"lb": 3, "full": 1})


def test_envoys_add_up_with_what_each_has_in_progress() -> None:
    held = Attempts(in_progress=2)
    held.join(Attempts(in_progress=3))
    assert held.in_progress == 5


def test_names_of_drops_and_bounds_of_buckets_do_not_grow_without_end() -> None:
    """They are the reporters' words; what is beyond the limit is still counted."""
    drops, answers = Attempts(), Answers()
    for number in range(1000):
        drops.join(Attempts(drops={f"category-{number}": 1}))
        answers.follow(Answers(latency=Latency({(0.0, 1.0 + number): 1})))
    assert len(drops.drops) <= MOST_CATEGORIES + 1
    assert len(answers.latency.buckets) <= MOST_BUCKETS + 1
    assert sum(drops.drops.values()) == answers.latency.count == 1000


def test_the_success_of_nothing_is_unknown() -> None:
    assert success_rate(Answers()) is None
    assert success_rate(Answers(200, 3)) == pytest.approx(0.985)
