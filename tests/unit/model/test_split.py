"""The split: percent in, 10,000ths inside, and which users move when weights do."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from tests.harness.declared import split
from xds.model.problems import InvalidInput
from xds.model.split import (
    KeySource,
    Segment,
    Split,
    SplitKey,
    percent_from_weight,
    weight_from_percent,
)


@pytest.mark.parametrize(
    ("percent", "weight"),
    [
        (5, 500), (0, 0), (100, 10_000), (12.5, 1250), (0.01, 1), (99.99, 9999), ("5%", 500), (" 12.50 % ", 1250),
        ("0.10", 10), (33.33, 3333), (Decimal("1e1"), 1000), ("-0", 0), ("0e999999", 0),
    ],
)  # fmt: skip
def test_percent_with_two_decimals_is_a_weight(percent: float | str | Decimal, weight: int) -> None:
    assert weight_from_percent(percent, pointer="/weight") == weight


@pytest.mark.parametrize(
    "percent",
    [
        -1, -0.01, 100.01, 101, 1e9, pytest.param(10**5000, id="a number of 5,000 digits"), math.nan,
       math.inf, -math.inf, "NaN", "sNaN", "Infinity", 12.345, "0.001",
        "5." + "0" * 40 + "1", "1e-999999", True, False, "", "%", "five", "5 5", "1,5", None,
    ],
)  # fmt: skip
def test_anything_else_is_refused_where_it_stands(percent: float | str) -> None:
    with pytest.raises(InvalidInput) as caught:
        weight_from_percent(percent, pointer="/plan/0/weight")
    assert caught.value.pointer == "/plan/0/weight"
    assert len(caught.value.message) < 120


def test_every_weight_survives_the_way_out_and_in() -> None:
    assert all(weight_from_percent(percent_from_weight(weight), pointer="") == weight for weight in range(10_001))


@pytest.mark.parametrize("weights", [(5000,), (5000, 5001), (10_000, 1), (9_999,)])
def test_weights_add_up_to_a_hundred_percent(weights: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match="not 100"):
        Split(tuple(Segment(f"v{at}", weight) for at, weight in enumerate(weights)))


@pytest.mark.parametrize("weight", [0, -1])
def test_a_segment_holds_at_least_one_bucket(weight: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        Split((Segment("v1", 10_000 - weight), Segment("v2", weight)))
    assert caught.value.pointer == "/split/1/weight"


def test_a_split_of_a_service_without_versions_is_empty() -> None:
    assert Split().weights == {}


@pytest.mark.parametrize(
    ("source", "name"),
    [(KeySource.HEADER, ""), (KeySource.COOKIE, ""), (KeySource.SOURCE, "x"), (KeySource.HEADER, "a b")],
)
def test_a_key_names_a_header_or_cookie_or_nothing(source: KeySource, name: str) -> None:
    with pytest.raises(InvalidInput):
        SplitKey(source, name)


def test_a_growing_canary_takes_the_boundary_only() -> None:
    assert split(v1=9500, v2=500).shift({"v1": 9000, "v2": 1000}).segments == (Segment("v1", 9000), Segment("v2", 1000))


def test_a_third_version_takes_from_the_first_without_touching_the_second() -> None:
    moved = split(v1=8000, v2=1000, v3=1000).shift({"v1": 7000, "v2": 1000, "v3": 2000})
    assert moved.segments == (Segment("v1", 7000), Segment("v3", 1000), Segment("v2", 1000), Segment("v3", 1000))


def test_stepping_back_from_all_returns_whom_the_last_step_took() -> None:
    """At 100 percent stable owns nothing; its users are still the first ones, as before the last step."""
    whole = split(v1=5000, v2=5000).shift({"v1": 0, "v2": 10_000})
    assert whole.segments == (Segment("v2", 10_000),)
    assert whole.shift({"v1": 5000, "v2": 5000}).segments == (Segment("v1", 5000), Segment("v2", 5000))


def test_a_canary_that_took_the_upper_half_of_a_divided_version_gives_it_back() -> None:
    held = Split((Segment("v1", 3000), Segment("v2", 2000), Segment("v1", 5000)))
    three = held.shift({"v1": 5000, "v2": 2000, "v3": 3000})
    six = three.shift({"v1": 2000, "v2": 2000, "v3": 6000})
    assert six.shift({"v1": 5000, "v2": 2000, "v3": 3000}) == three
    assert six.shift({"v1": 8000, "v2": 2000}) == held


def test_who_was_emptied_by_a_canary_takes_back_its_first_users_though_others_stand_beside_it() -> None:
    one = Split((Segment("v3", 1), Segment("canary", 1), Segment("v4", 9998)))
    both = one.shift({"v3": 0, "v4": 9998, "canary": 2})
    assert both.shift({"v3": 1, "v4": 9998, "canary": 1}) == one


def test_shifting_keeps_key_and_salt() -> None:
    keyed = Split.whole("v1", key=SplitKey(KeySource.COOKIE, "sid"), salt="web")
    moved = keyed.shift({"v1": 9000, "v2": 1000})
    assert (moved.key, moved.salt) == (keyed.key, "web")


def test_an_empty_split_takes_the_weights_in_their_order_without_the_zeros() -> None:
    assert Split().shift({"v2": 0, "v1": 4000, "v3": 6000}).segments == (Segment("v1", 4000), Segment("v3", 6000))


@pytest.mark.parametrize("weights", [{}, {"v1": 9999}, {"v1": 10_001}, {"v1": 10_001, "v2": -1}])
def test_weights_to_shift_to_add_up_as_well(weights: dict[str, int]) -> None:
    with pytest.raises(InvalidInput):
        split(v1=10_000).shift(weights)


def test_a_fallback_owns_the_buckets_of_whoever_is_empty() -> None:
    held = split(v1=5000, v2=2000, v3=3000)
    assert held.without(["v2", "v3"], "v1").segments == (Segment("v1", 10_000),)
    assert held.without([], "v1") == held


@pytest.mark.parametrize(("bucket", "owner"), [(0, "v1"), (4999, "v1"), (5000, "v2"), (9999, "v2")])
def test_a_bucket_is_owned_by_the_segment_it_lies_in(bucket: int, owner: str) -> None:
    assert split(v1=5000, v2=5000).owner(bucket) == owner


def test_a_bucket_beyond_the_last_has_no_owner() -> None:
    with pytest.raises(InvalidInput):
        split(v1=10_000).owner(10_000)
