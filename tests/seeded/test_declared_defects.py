"""Rules of what is declared, broken on purpose: for each, the test that guards it must fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any  # tests take fixtures of any kind

import pytest

from tests.harness.declared import Book, instance
from tests.unit.control import test_drift, test_expiries, test_trial
from tests.unit.model import test_overlays
from xds.control import expiries, trial
from xds.model import draft, laying

Test = Callable[..., Any]


def fails(test: Test, *arguments: object) -> None:
    """The test notices what is broken."""
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test(*arguments)


def three() -> Book:
    """What `test_overlays` begins with."""
    book = Book()
    book.put(instance("web-1"), instance("web-2", labels={"rack": "b"}), instance("web-3", "v2"))
    return book


def test_c3_without_looking_who_would_be_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(laying, "emptied", lambda *_: [])
    fails(test_overlays.test_the_last_who_serve_users_are_not_drained_unless_it_is_forced_c3, three())
    fails(test_overlays.test_a_weight_of_0_is_judged_like_a_drain_and_any_other_weight_is_not_c3, three())


def test_c3_without_the_price_of_pruning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_cost", lambda *_: [])
    fails(test_trial.test_the_last_who_serve_users_take_force_c3)
    fails(test_trial.test_to_prune_everything_takes_force_c3)


def test_m54_with_a_wall_clock_that_is_believed_whatever_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiries, "left", lambda _, until, wall: (until - wall).total_seconds())
    fails(test_expiries.test_a_wall_clock_that_went_back_gives_no_more_than_the_whole_time)


def test_m12_without_a_memory_of_what_was_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draft, "remembered", lambda said, *_: said)
    fails(test_drift.test_what_runs_holds_and_what_was_declared_stays_beside_it)
