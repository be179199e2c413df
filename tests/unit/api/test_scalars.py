"""Percent and durations, as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.api.scalars import write_percent
from xds.model.duration import read_duration, write_duration


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (5, 5.0),
        (0.25, 0.25),
        ("500ms", 0.5),
        ("5s", 5.0),
        ("2m", 120.0),
        ("1m30s", 90.0),
        ("1h", 3600.0),
        ("0.5s", 0.5),
    ],
)
def test_a_duration_is_seconds_or_text_with_units(said: object, seconds: float) -> None:
    assert read_duration(said) == seconds


@pytest.mark.parametrize("said", [-1, True, None, "", "5", "5 s", "-5s", "s", "5w", [], float("nan"), "1e3s", "9" * 99])
def test_anything_else_is_no_duration(said: object) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        read_duration(said)


@given(st.integers(0, 604_800_000))
def test_a_duration_reads_back_as_it_was_written(milliseconds: int) -> None:
    assert read_duration(write_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000, abs=1e-9)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (0.5, "500ms"), (90, "90s"), (120, "2m"), (7200, "2h"), (1.5, "1.5s")]
)
def test_durations_are_written_with_one_unit(seconds: float, text: str) -> None:
    assert write_duration(seconds) == text


def test_percent_has_no_fraction_where_there_is_none() -> None:
    assert [write_percent(weight) for weight in (0, 1, 500, 1250, 10_000)] == [0, 0.01, 5, 12.5, 100]
    assert isinstance(write_percent(500), int)
