"""Checks: what may be asked of an instance, and how often."""

from __future__ import annotations

from math import nan

import pytest

from xds.model.check import Check, CheckKind
from xds.model.problems import InvalidInput


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("port", 0),
        ("port", 70_000),
        ("path", "healthz"),
        ("path", "file:///etc/passwd"),
        ("path", "http://169.254.169.254/"),
        ("path", "/a b"),
        ("path", "/\r\nHost: other"),
        ("path", "/é"),
        ("host", "user@elsewhere"),
        ("host", "a\r\nx: y"),
        ("service", "a b"),
        ("interval", 0.5),
        ("interval", nan),
        ("interval", 1e9),
        ("timeout", 0.0),
        ("timeout", 6.0),
        ("start_period", -1.0),
        ("rise", 0),
        ("fall", 101),
    ],
)
def test_h3_h5_what_cannot_be_asked_or_would_be_asked_too_often_is_refused(field: str, value: object) -> None:
    """A path is a path: no other scheme, no other host, nobody named in it, no line of its own."""
    with pytest.raises(InvalidInput) as refused:
        Check(CheckKind.HTTP, **{field: value})  # type: ignore[arg-type]  # a field and a value that it cannot have
    assert refused.value.pointer == f"/{field}"


def test_an_answer_may_take_two_seconds_and_never_longer_than_the_interval() -> None:
    assert Check(CheckKind.TCP).deadline == 2.0
    assert Check(CheckKind.TCP, interval=1.0).deadline == 1.0
    assert Check(CheckKind.TCP, timeout=0.3).deadline == 0.3


def test_m49_a_fast_check_asks_ten_times_a_second() -> None:
    fast = Check(CheckKind.HTTP, fast=True)
    assert (fast.period, fast.deadline, fast.fall) == (0.1, 0.25, 3)
    with pytest.raises(InvalidInput, match="cannot be fast"):
        Check(CheckKind.TTL, fast=True)
