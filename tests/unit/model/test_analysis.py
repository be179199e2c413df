"""A version is judged by what was measured of it: what is missing is never good, and what is bad is said in numbers."""

from __future__ import annotations

import math
from typing import Any

import pytest

from xds.model.analysis import (
    HARD_LEAST,
    STALE,
    Analysis,
    Judgement,
    NoData,
    Ruling,
    Verdict,
    judge,
    rule,
)
from xds.model.problems import InvalidInput
from xds.model.traffic import Counts, Latency, Sample

PASS, FAIL, NO_DATA, HARD = Verdict.PASS, Verdict.FAIL, Verdict.NO_DATA, Verdict.HARD_FAIL
NO_SAMPLE = Sample()
TIMES = Latency({(0.0, 100.0): 990, (100.0, 300.0): 10})


def sample(requests: int = 1000, errors: int = 0, latency: Latency | None = None, age: float | None = 1.0) -> Sample:
    return Sample(Counts(requests, errors), Counts(), latency or Latency(), age, age)


def said(criteria: Analysis, canary: Sample, stable: Sample = NO_SAMPLE) -> Judgement:
    return judge(criteria, canary, stable, 30.0)


RATE, TIME, DELTA = Analysis(success_rate=9900), Analysis(p99=0.25), Analysis(error_delta=50)


@pytest.mark.parametrize(
    ("criteria", "canary", "stable", "verdict", "words"),
    [
        (RATE, sample(1204, 12), Sample(), PASS, "success rate 99 % of 1,204 requests, at least 99 % is wanted"),
        (RATE, sample(1204, 106), Sample(), FAIL, "success rate 91.19 % of 1,204 requests, at least 99 % is wanted"),
        (RATE, sample(99, 0), Sample(), NO_DATA, "no data: 99 requests, at least 100 are wanted"),
        (RATE, sample(0, 0), Sample(), NO_DATA, "no data: 0 requests, at least 100 are wanted"),
        (RATE, sample(age=None), Sample(), NO_DATA, "no Envoy has reported any requests yet"),
        (RATE, sample(age=STALE + 1), Sample(), NO_DATA, "no Envoy has reported any requests for 31 s"),
        (TIME, sample(latency=TIMES), Sample(), PASS, "P99 100 ms of 1,000 answers, at most 250 ms is wanted"),
        (TIME, sample(latency=Latency({(0.0, 100.0): 980, (500.0, 600.0): 20})), Sample(), FAIL, "P99 550 ms of 1,000"),
        (TIME, sample(), Sample(), NO_DATA, "no data for p99: 0 answers, at least 100 are wanted"),
        (TIME, sample(latency=Latency({(0.0, math.inf): 1000})), Sample(), NO_DATA, "nobody knows how much"),
        (TIME, sample(latency=Latency({(300.0, math.inf): 1000})), Sample(), FAIL, "P99 300 ms"),
        (DELTA, sample(1000, 15), sample(1000, 10), PASS, "1.5 % of 1,000 requests failed, 1 % of the stable"),
        (DELTA, sample(1000, 16), sample(1000, 10), FAIL, "1.6 % of 1,000 requests failed, 1 % of the stable"),
        (DELTA, sample(1000, 16), sample(99, 0), NO_DATA, "of the stable version: 99 requests, at least 100"),
        (DELTA, sample(1000, 16), sample(age=None), NO_DATA, "of the stable version: no Envoy has reported"),
        (DELTA, sample(1000, 5), sample(0, age=None), PASS, "0.5 % of 1,000 requests failed, 0 % of the stable"),
        (Analysis(), sample(100, 40), Sample(), PASS, "100 requests, at least 100 are wanted"),
        (RATE, sample(HARD_LEAST, 10), Sample(), HARD, "10 of 20 requests failed since the step began"),
        (RATE, sample(HARD_LEAST, 9), Sample(), NO_DATA, "20 requests, at least 100"),
        (RATE, sample(HARD_LEAST - 1, 19), Sample(), NO_DATA, "19 requests, at least 100"),
    ],
)  # fmt: skip
def test_each_criterion_says_its_verdict_with_numbers(
    criteria: Analysis, canary: Sample, stable: Sample, verdict: Verdict, words: str
) -> None:
    found = said(criteria, canary, stable)
    assert (found.verdict, found.held) == (verdict, 30.0)
    assert words in found.reason, found.reason


def test_one_bad_criterion_is_enough_and_one_without_data_keeps_it_from_passing() -> None:
    both = Analysis(success_rate=9900, p99=0.25)
    assert said(both, sample(latency=TIMES)).verdict is PASS
    assert said(both, sample()).verdict is NO_DATA
    assert said(both, sample(errors=20)).verdict is FAIL
    assert [each.criterion for each in said(both, sample()).findings] == ["requests", "success-rate", "p99"]


def test_a_version_that_breaks_after_a_long_good_time_fails_hard_by_what_was_of_late() -> None:
    broken = Sample(Counts(100_000, 30), Counts(40, 30), age=0.5)
    assert said(RATE, broken).reason == "30 of 40 requests failed of late"


def test_a_version_that_nobody_serves_any_more_fails_hard() -> None:
    short = said(RATE, Sample(away=19.9))
    assert short.verdict is NO_DATA
    assert "no data: it has had no healthy instance for 20 s" in short.reason
    assert said(RATE, Sample(away=34.2)).reason == "it had no healthy instance for 34 s"


def test_times_that_nobody_tells_any_more_are_no_data_though_requests_are_told() -> None:
    (_, found) = said(TIME, Sample(Counts(1000, 0), Counts(), TIMES, 1.0, 31.0)).findings
    assert (found.verdict, found.words) == (NO_DATA, "no data for p99: no Envoy has reported any answers for 31 s")


def test_a_share_is_never_shown_as_better_than_it_is() -> None:
    """99.9996 % is not 100 %, and 0.0004 % is not nothing."""
    (_, found) = said(Analysis(success_rate=10_000), sample(250_000, 1)).findings
    assert (found.verdict, found.value) == (FAIL, 99.99)
    (_, found) = said(Analysis(error_delta=0), sample(250_000, 1), sample(250_000, 0)).findings
    assert (found.verdict, found.value) == (FAIL, 0.01)


@pytest.mark.parametrize(
    ("criteria", "canary", "stable", "certain"),
    [
        (RATE, sample(100, 2), Sample(), False),
        (RATE, sample(100, 20), Sample(), True),
        (RATE, sample(1204, 106), Sample(), True),
        (TIME, sample(latency=Latency({(0.0, 100.0): 985, (500.0, 600.0): 15})), Sample(), False),
        (TIME, sample(latency=Latency({(0.0, 100.0): 900, (500.0, 600.0): 100})), Sample(), True),
        (DELTA, sample(1000, 20), sample(1000, 10), False),
        (DELTA, sample(1000, 100), sample(1000, 10), True),
    ],
)  # fmt: skip
def test_a_failure_is_certain_when_chance_does_not_explain_it(
    criteria: Analysis, canary: Sample, stable: Sample, certain: bool
) -> None:
    found = said(criteria, canary, stable)
    assert (found.verdict, found.is_certain) == (FAIL, certain)


GOOD, BAD, NOTHING = said(RATE, sample()), said(RATE, sample(100, 2)), said(RATE, sample(10))
PLAIN, BROKEN = said(RATE, sample(100, 20)), said(RATE, sample(40, 40))
KEEP, NO_WAIT = Analysis(rollback=False), Analysis(wait=0.0)


@pytest.mark.parametrize(
    ("criteria", "judgement", "over", "ruling"),
    [
        (RATE, GOOD, -0.1, Ruling.WAIT),
        (RATE, GOOD, 0.0, Ruling.GO_ON),
        (RATE, GOOD, None, Ruling.WAIT),
        (RATE, BAD, -0.1, Ruling.WAIT),
        (RATE, BAD, 0.0, Ruling.GIVE_BACK),
        (KEEP, BAD, 0.0, Ruling.STOP),
        (RATE, PLAIN, -600.0, Ruling.GIVE_BACK),
        (KEEP, PLAIN, -600.0, Ruling.STOP),
        (RATE, PLAIN, None, Ruling.WAIT),
        (RATE, BROKEN, None, Ruling.GIVE_BACK),
        (RATE, BROKEN, -600.0, Ruling.GIVE_BACK),
        (KEEP, BROKEN, None, Ruling.STOP),
        (RATE, NOTHING, 299.9, Ruling.WAIT),
        (RATE, NOTHING, 300.0, Ruling.STOP),
        (NO_WAIT, NOTHING, -0.1, Ruling.WAIT),
        (NO_WAIT, NOTHING, 0.0, Ruling.STOP),
        (Analysis(no_data=NoData.FAIL), NOTHING, 300.0, Ruling.GIVE_BACK),
        (Analysis(no_data=NoData.FAIL, rollback=False), NOTHING, 300.0, Ruling.STOP),
        (Analysis(no_data=NoData.PASS), NOTHING, 300.0, Ruling.GO_ON),
    ],
)  # fmt: skip
def test_what_follows_depends_on_the_verdict_and_on_the_steps_pause(
    criteria: Analysis, judgement: Judgement, over: float | None, ruling: Ruling
) -> None:
    assert rule(criteria, judgement, over) is ruling


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"min_requests": 0}, "/min_requests"), ({"success_rate": 10_001}, "/success_rate"), ({"p99": 0.0}, "/p99"),
        ({"p99": math.nan}, "/p99"), ({"p99": math.inf}, "/p99"), ({"error_delta": -1}, "/error_delta"),
        ({"wait": math.nan}, "/wait"), ({"wait": -1.0}, "/wait"),
    ],
)  # fmt: skip
def test_criteria_that_nothing_can_meet_are_refused_by_name(more: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Analysis(**more)
    assert caught.value.pointer == pointer
