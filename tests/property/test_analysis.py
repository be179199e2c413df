"""Laws of judgements: only enough fresh evidence within every bound passes, and more failures never help."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from xds.model.analysis import STALE, Analysis, Ruling, Verdict, judge, rule
from xds.model.traffic import Counts, Latency, Sample

BOUNDS = st.sampled_from([(0.0, 5.0), (5.0, 100.0), (100.0, 1000.0), (1000.0, math.inf), (0.0, math.inf)])
TIMES = st.builds(Latency, st.dictionaries(BOUNDS, st.integers(0, 500), max_size=4))
AGES = st.none() | st.floats(0, 2 * STALE)
CRITERIA = st.builds(
    Analysis,
    min_requests=st.integers(1, 300),
    success_rate=st.none() | st.integers(0, 10_000),
    p99=st.none() | st.floats(0.001, 2.0),
    error_delta=st.none() | st.integers(0, 10_000),
    rollback=st.booleans(),
)


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    requests = draw(st.integers(0, 1000))
    asked = Counts(requests, draw(st.integers(0, requests)))
    return Sample(asked, Counts(), draw(TIMES), draw(AGES), draw(AGES))


@given(CRITERIA, samples(), samples())
def test_what_passes_has_enough_fresh_evidence_within_every_bound(
    criteria: Analysis, canary: Sample, stable: Sample
) -> None:
    found = judge(criteria, canary, stable, 1.0)
    assert found.reason
    if found.verdict is not Verdict.PASS:
        return
    requests, errors = canary.asked.requests, canary.asked.errors
    assert requests >= criteria.min_requests
    assert canary.age is not None
    assert canary.age <= STALE
    assert criteria.success_rate is None or (requests - errors) * 10_000 >= criteria.success_rate * requests
    if criteria.p99 is not None:
        within = sum(count for (_, upto), count in canary.latency.buckets.items() if not math.isinf(upto))
        assert within >= 0.99 * canary.latency.count
    if criteria.error_delta is not None and errors * 10_000 > criteria.error_delta * requests:
        assert stable.asked.requests >= criteria.min_requests
        worse = errors / requests - stable.asked.errors / stable.asked.requests
        assert worse <= criteria.error_delta / 10_000 + 1e-9


@given(CRITERIA, samples(), samples(), st.integers(1, 1000))
def test_more_failures_never_make_a_version_better(
    criteria: Analysis, canary: Sample, stable: Sample, more: int
) -> None:
    asked = Counts(canary.asked.requests, min(canary.asked.requests, canary.asked.errors + more))
    worse = Sample(asked, canary.lately, canary.latency, canary.age, canary.latency_age)
    before, after = judge(criteria, canary, stable, 1.0), judge(criteria, worse, stable, 1.0)
    if after.verdict is Verdict.PASS:
        assert before.verdict is Verdict.PASS
    if before.verdict is Verdict.HARD_FAIL:
        assert after.verdict is Verdict.HARD_FAIL


@given(CRITERIA, samples(), samples(), st.none() | st.floats(-1000, 1000))
def test_nobody_goes_on_by_what_is_bad_and_only_bad_is_given_back(
    criteria: Analysis, canary: Sample, stable: Sample, over: float | None
) -> None:
    found = judge(criteria, canary, stable, 1.0)
    ruling = rule(criteria, found, over)
    if ruling is Ruling.GO_ON:
        assert found.verdict is Verdict.PASS
        assert over is not None
        assert over >= 0
    if ruling is Ruling.GIVE_BACK:
        assert criteria.rollback
        assert found.verdict in {Verdict.FAIL, Verdict.HARD_FAIL}
