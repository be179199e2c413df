"""Rules of the registry, broken on purpose: for each, the test that guards it must fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any  # tests take fixtures of any kind

import pytest

from tests.harness.declared import Book
from tests.unit.model import test_draft, test_incarnation
from tests.unit.sources import test_leases, test_preservation
from tests.unit.sources.house import House
from xds.control.ports import Lease
from xds.model import draft, incarnation
from xds.sources import leases, preservation
from xds.sources.leases import WheelLeases

Test = Callable[..., Any]


def fails(test: Test, *arguments: object) -> None:
    """The test notices what is broken."""
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test(*arguments)


def test_r3_without_the_comparison_of_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draft, "check_succession", lambda *_: None)
    fails(test_draft.test_what_is_older_than_known_is_refused, Book(), 4, 9)


def test_r3_without_a_new_epoch_for_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incarnation, "_is_another", lambda *_: False)
    fails(test_incarnation.test_another_start_is_another_incarnation)


def test_r1_without_self_preservation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "is_too_much", lambda *_, **__: False)
    fails(test_preservation.test_r1_a_share_of_a_service_lapses_in_one_tick, House(), 7, 0.6)
    fails(test_preservation.test_r1_a_share_of_all_leases_lapses_in_one_tick, House(), 0.6)


def test_r1_without_counting_who_went_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preservation.Losses, "add", lambda *_: None)
    fails(test_preservation.test_r1_what_dribbles_away_does_not_slip_under_the_rule, House())


def test_r2_without_a_full_lease_after_we_were_away(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = WheelLeases.lapse
    monkeypatch.setattr(WheelLeases, "lapse", lambda self, registry, **_: honest(self, registry, late=False))
    fails(test_leases.test_r2_after_we_were_away_nobody_goes_within_a_full_lease, House(), 60.0, 3, 5.0)


def test_r4_with_heartbeats_that_create(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WheelLeases, "renew", lambda *_: Lease(10.0))
    fails(test_leases.test_r4_a_renewal_creates_nothing, House())


def test_t1_with_heartbeats_that_may_be_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = WheelLeases.renew
    monkeypatch.setattr(WheelLeases, "renew", lambda self, instance_id, *_: honest(self, instance_id))
    fails(test_leases.test_t1_a_heartbeat_that_was_heard_before_renews_nothing, House())


def test_m48_with_removals_before_the_probe_has_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    def hasty(self: WheelLeases, member: str, held: Any, *_: object, **__: object) -> None:
        held.marked, self._said[member] = True, leases.LAPSED

    monkeypatch.setattr(WheelLeases, "_mark", hasty)
    fails(test_leases.test_m48_silence_starts_a_probe_and_nobody_goes_before_it_is_answered, House())
