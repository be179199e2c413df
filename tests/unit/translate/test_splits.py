"""Which weights really hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.model.split import TOTAL, Segment, Split
from xds.translate.splits import effective

NAMES = ("v1", "v2", "v3")


def split(**weights: int) -> Split:
    return Split(tuple(Segment(name, weight * 100) for name, weight in weights.items()))


def test_a_split_whose_subsets_all_serve_stays() -> None:
    found = effective(split(v1=90, v2=10), {"v1", "v2", "-"}, "v1")
    assert (found.split, found.empty, found.instead) == (split(v1=90, v2=10), (), "")


@pytest.mark.parametrize(
    ("weights", "serving", "wanted", "instead"),
    [
        ({"v1": 80, "v2": 20}, {"v1", "-"}, {"v1": 100}, "v1"),
        ({"v1": 80, "v2": 10, "v3": 10}, {"v2", "v3", "-"}, {"v2": 90, "v3": 10}, "v2"),
        ({"v2": 50, "v3": 50}, {"v1", "v2", "-"}, {"v2": 50, "v1": 50}, "v1"),
        ({"v1": 100}, {"v9", "-"}, {"-": 100}, "-"),
    ],
    ids=["to stable", "to the first that serves", "to stable outside the split", "to everybody"],
)
def test_an_empty_subset_gives_its_buckets_away(
    weights: dict[str, int], serving: set[str], wanted: dict[str, int], instead: str
) -> None:
    found = effective(split(**weights), serving, "v1")
    assert found.split.weights == {name: weight * 100 for name, weight in wanted.items()}
    assert found.instead == instead


def test_a_split_stays_where_nothing_serves() -> None:
    found = effective(split(v1=80, v2=20), set(), "v1")
    assert found.split == split(v1=80, v2=20)
    assert (found.empty, found.instead) == (("v1", "v2"), "")


def test_a_service_without_a_split_goes_to_every_instance() -> None:
    assert effective(Split(), set(), "").split.weights == {"-": TOTAL}


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.integers(1, 3000)), min_size=1, max_size=6),
    st.sets(st.sampled_from(NAMES)),
)
def test_users_of_subsets_that_serve_never_move(parts: list[tuple[str, int]], serving: set[str]) -> None:
    rest = TOTAL - sum(weight for _, weight in parts)
    if rest < 0:
        parts, rest = parts[:1], TOTAL - parts[0][1]
    before = Split(tuple(Segment(name, weight) for name, weight in [*parts, ("v1", rest)] if weight))
    after = effective(before, serving | ({"-"} if serving else set()), "v1").split
    for bucket in range(0, TOTAL, 97):
        if before.owner(bucket) in serving:
            assert after.owner(bucket) == before.owner(bucket)
