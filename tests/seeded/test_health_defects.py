"""Seeded defects of health: each breaks one rule, and the test that is named for it has to notice.

A test that passes with its rule broken proves nothing. What is broken is said beside it, as somebody could write it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.unit.control import test_health as board
from tests.unit.model import test_outliers as outliers
from tests.unit.net import test_dialer as dialer
from tests.unit.sources import test_check_probing as probing
from tests.unit.sources import test_check_schedule as schedule
from tests.unit.translate import test_localities as localities
from xds.model.fusion import fuse
from xds.model.signal import Signal
from xds.net.dialer import Dialer
from xds.sources.checks.schedule import Schedule
from xds.sources.checks.target import Outcome, Target

NOTICED = (AssertionError, pytest.fail.Exception)


async def test_h3_an_address_inside_another_that_is_not_unwrapped_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xds.net.targets._EMBEDDING", ())
    with pytest.raises(NOTICED):
        await dialer.test_h3_metadata_and_what_no_host_has_is_never_called("::ffff:169.254.169.254")


async def test_h3_a_name_whose_first_address_alone_is_vetted_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    vetted = Dialer._vetted

    async def first(self: Dialer, host: str, port: int) -> list[str]:
        found = await self._resolve(host, port)
        self._targets.check(found[0])
        return list(found)

    monkeypatch.setattr(Dialer, "_vetted", first)
    with pytest.raises(NOTICED):
        await dialer.test_h3_a_name_that_also_leads_to_metadata_is_not_called_at_all()
    monkeypatch.setattr(Dialer, "_vetted", vetted)
    await dialer.test_h3_a_name_that_also_leads_to_metadata_is_not_called_at_all()


async def test_h3_a_redirect_that_counts_as_an_answer_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    asker = probing.Asker()
    monkeypatch.setattr("xds.sources.checks.probing.GOOD", range(200, 400))
    answer = b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\n\r\n"
    with pytest.raises(NOTICED):
        await probing.test_m04_http_is_content_with_2xx_and_says_in_words_what_else_it_met(
            asker, answer, "it answers 302, and is not followed"
        )
    asker.dialer.close()


async def test_h4_an_answer_that_is_read_without_end_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    asker = probing.Asker()
    monkeypatch.setattr("xds.sources.checks.probing.MOST", 2**40)
    monkeypatch.setattr(probing, "HTTP", replace(probing.HTTP, timeout=0.5))
    with pytest.raises(NOTICED):
        await probing.test_h4_no_more_than_four_kilobytes_are_read_of_an_answer_without_end(
            asker, "a gigabyte of interim answers"
        )
    asker.dialer.close()


def test_h2_a_checker_that_never_doubts_itself_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xds.sources.checks.blind.SHARE", 1.0)
    with pytest.raises(NOTICED):
        schedule.test_h2_when_most_fall_silent_at_once_nobody_is_judged_and_somebody_is_called()


def test_h1_a_refusal_that_counts_as_silence_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    take = Target.take

    def silent(self: Target, outcome: Outcome, at: float, *, blind: bool = False) -> None:
        take(self, outcome, at, blind=blind)
        self.silent = not outcome.good

    monkeypatch.setattr(Target, "take", silent)
    with pytest.raises(NOTICED):
        schedule.test_h1_all_that_refuse_are_unhealthy_because_who_is_refused_is_not_blind()


def test_m48_an_old_answer_that_counts_as_a_verdict_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = Schedule.verdict
    monkeypatch.setattr(Schedule, "verdict", lambda self, member, _: verdict(self, member, 0.0))
    with pytest.raises(NOTICED):
        schedule.test_m48_an_answer_to_a_question_from_before_the_suspicion_is_no_verdict(schedule.Round())


def test_m05_a_gate_that_anybody_opens_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def ungated(words: Mapping[str, Signal], *, gated: bool) -> object:
        return fuse(words, gated=gated and "traffic" not in words)

    monkeypatch.setattr("xds.control.health.fuse", ungated)
    with pytest.raises(NOTICED):
        board.test_m05_an_instance_with_a_check_starts_until_the_check_is_content(board.House())


def test_m24_a_flap_that_is_told_each_time_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xds.control.damping.HOLD", 0.0)
    with pytest.raises(NOTICED):
        board.test_m24_a_flap_at_two_hertz_is_told_at_most_once_a_second_and_its_last_state_always(board.House())


def test_m46_an_outlier_that_is_not_held_beside_the_others_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xds.model.outliers.WORSE", 0.0)
    with pytest.raises(NOTICED):
        outliers.test_when_all_err_alike_nobody_stands_out()


def test_m62_a_zone_that_is_not_preferred_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xds.translate.endpoints._distance", lambda *_: 0)
    with pytest.raises(NOTICED):
        localities.test_the_nearest_zone_comes_first_then_the_region_then_everybody_else()
