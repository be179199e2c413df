"""Whether a new version is good enough for more users: criteria, what was measured, and what follows from both.

Pure, and without a source: somebody else counts, and knows since when. What is missing is never good: no data is a
verdict of its own. Shares are 10,000ths, as weights are; times are seconds in criteria, and milliseconds where they
are measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from xds.model.problems import InvalidInput
from xds.model.split import TOTAL
from xds.model.traffic import Sample

ENOUGH: Final = 100
"""Requests that a step needs where nobody says how many: of fewer, one failure is more than a percent."""
MOST_REQUESTS: Final = 10**9
WAIT: Final = 300.0
LONGEST_WAIT: Final = 7 * 86_400.0
LONGEST_ANSWER: Final = 3600.0
STALE: Final = 30.0
"""Seconds without a word of any Envoy after which what was counted says nothing of now: three slow reports."""
HARD_LEAST: Final = 20
HARD_PART: Final = 2
"""A hard failure: one of so many requests failed, and there were so many at least."""
AWAY: Final = 20.0
"""... and so is a version that nobody serves for so many seconds: its users are with the stable one already."""
CHANCE: Final = 3.0
"""Standard deviations. What is worse by more is not looked at again: one look in some hundreds would err."""


class NoData(StrEnum):
    """What it means that too little was measured."""

    PAUSE = "pause"
    FAIL = "fail"
    PASS = "pass"


class Verdict(StrEnum):
    """What the measurements say. HARD_FAIL does not wait for the end of a step, nor for its minimum of requests."""

    PASS = "pass"
    FAIL = "fail"
    NO_DATA = "no data"
    HARD_FAIL = "hard fail"


class Ruling(StrEnum):
    """What follows: wait, take the next step, stop where it is, or give everybody back."""

    WAIT = "wait"
    GO_ON = "go on"
    STOP = "stop"
    GIVE_BACK = "give back"


@dataclass(frozen=True, slots=True)
class Analysis:
    """By what a rollout is judged; a criterion of None says nothing.

    A step needs `min_requests`, `success_rate` is the least share of them that must not fail, `p99` the longest time
    that 99 of 100 answers may take, `error_delta` by how much its share of failures may exceed that of the stable
    version in the same time. Where that cannot be said `wait` seconds after the step's pause, `no_data` does. What is
    bad is taken back, or (no `rollback`) stopped.
    """

    min_requests: int = ENOUGH
    success_rate: int | None = None
    p99: float | None = None
    error_delta: int | None = None
    no_data: NoData = NoData.PAUSE
    wait: float = WAIT
    rollback: bool = True

    def __post_init__(self) -> None:
        """Refuse bounds that nothing can reach, or everything."""
        if not 1 <= self.min_requests <= MOST_REQUESTS:
            raise InvalidInput(
                f"{self.min_requests} requests are not between 1 and {MOST_REQUESTS}", pointer="/min_requests"
            )
        for name, share in (("success_rate", self.success_rate), ("error_delta", self.error_delta)):
            if share is not None and not 0 <= share <= TOTAL:
                raise InvalidInput(f"{share / 100:g} is not between 0 and 100 percent", pointer=f"/{name}")
        if self.p99 is not None and not 0 < self.p99 <= LONGEST_ANSWER:  # NaN fails both comparisons
            raise InvalidInput(f"{self.p99:g} s is no time that an answer may take", pointer="/p99")
        if not 0 <= self.wait <= LONGEST_WAIT:
            raise InvalidInput(f"{self.wait:g} s is not between 0 and {LONGEST_WAIT:g}", pointer="/wait")


@dataclass(frozen=True, slots=True)
class Finding:
    """One criterion: the value and its bound in `unit` (None: there is no value), of how many requests, in words.

    `certain` is what chance does not explain.
    """

    criterion: str
    verdict: Verdict
    value: float | None
    bound: float
    unit: str
    requests: int
    words: str
    certain: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the measurements of `held` seconds say of a version, criterion by criterion."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    held: float = 0.0

    @property
    def reason(self) -> str:
        """Return in words what the verdict stands on."""
        return "; ".join(each.words for each in self.findings if each.verdict is self.verdict)

    @property
    def is_certain(self) -> bool:
        """Say whether a failure is more than chance."""
        return any(each.certain for each in self.findings)


@dataclass(frozen=True, slots=True)
class Judged:
    """What was said of a step: its index in the plan (-1 without one), its weight, the judgement, what followed."""

    step: int
    weight: int
    judgement: Judgement
    ruling: Ruling


def judge(analysis: Analysis, canary: Sample, stable: Sample, held: float) -> Judgement:
    """Return the verdict on a version from its own sample and the stable version's of the same `held` seconds."""
    if (hard := _hard(canary)) is not None:
        return Judgement(Verdict.HARD_FAIL, (hard, *_findings(analysis, canary, stable)), held)
    findings = tuple(_findings(analysis, canary, stable))
    said = {each.verdict for each in findings}
    return Judgement(next(one for one in (Verdict.FAIL, Verdict.NO_DATA, Verdict.PASS) if one in said), findings, held)


def rule(analysis: Analysis, judgement: Judgement, over: float | None) -> Ruling:
    """Return what follows; `over` are the seconds since the step's pause has ended, negative before, None without one.

    Until the pause ends only a failure that chance does not explain is acted on: who looks often enough sees any.
    """
    back = Ruling.GIVE_BACK if analysis.rollback else Ruling.STOP
    if judgement.verdict is Verdict.HARD_FAIL:
        return back
    if over is None:
        return Ruling.WAIT
    if judgement.verdict is Verdict.FAIL:
        return back if over >= 0 or judgement.is_certain else Ruling.WAIT
    if judgement.verdict is Verdict.PASS:
        return Ruling.GO_ON if over >= 0 else Ruling.WAIT
    if over < analysis.wait:
        return Ruling.WAIT
    return {NoData.PAUSE: Ruling.STOP, NoData.FAIL: back, NoData.PASS: Ruling.GO_ON}[analysis.no_data]


def _hard(canary: Sample) -> Finding | None:
    """Find that half of the requests failed, of all of the step or of those of late, or that nobody serves it."""
    if canary.away >= AWAY:
        words = f"it had no healthy instance for {canary.away:.0f} s"
        return Finding("instances", Verdict.HARD_FAIL, canary.away, AWAY, "s", 0, words, certain=True)
    for counts, when in ((canary.asked, "since the step began"), (canary.lately, "of late")):
        if counts.requests >= HARD_LEAST and counts.errors * HARD_PART >= counts.requests:
            words = f"{counts.errors:,} of {counts.requests:,} requests failed {when}"
            share = _percent(counts.errors, counts.requests)
            return Finding(
                "failures", Verdict.HARD_FAIL, share, 100 / HARD_PART, "%", counts.requests, words, certain=True
            )
    return None


def _findings(analysis: Analysis, canary: Sample, stable: Sample) -> Iterator[Finding]:
    gone = f"it has had no healthy instance for {canary.away:.0f} s" if canary.away else ""
    missing = gone or _missing(canary.age, canary.asked.requests, analysis.min_requests)
    yield _enough(canary, analysis.min_requests, missing)
    if analysis.success_rate is not None:
        yield _success(canary, analysis.success_rate, missing)
    if analysis.p99 is not None:
        timed = _missing(canary.latency_age, canary.latency.count, analysis.min_requests, "answers")
        yield _slowest(canary, analysis.p99, gone or timed)
    if analysis.error_delta is not None:
        missing = missing or _beside(stable, analysis, canary)
        yield _delta(canary, stable, analysis.error_delta, missing)


def _missing(age: float | None, count: int, least: int, what: str = "requests") -> str:
    """Return why so many, told of so many seconds ago, say nothing; "" where they do."""
    if age is None:
        return f"no Envoy has reported any {what} yet"
    if age > STALE:
        return f"no Envoy has reported any {what} for {age:.0f} s"
    return f"{count:,} {what}, at least {least:,} are wanted" if count < least else ""


def _beside(stable: Sample, analysis: Analysis, canary: Sample) -> str:
    """Return why the stable version is nothing to compare with: a share that is small by itself needs none."""
    asked, allowed = canary.asked, analysis.error_delta or 0
    if asked.errors * TOTAL <= allowed * asked.requests:
        return ""
    missing = _missing(stable.age, stable.asked.requests, analysis.min_requests)
    return f"of the stable version: {missing}" if missing else ""


def _enough(canary: Sample, least: int, missing: str) -> Finding:
    count = canary.asked.requests
    verdict = Verdict.NO_DATA if missing else Verdict.PASS
    words = f"no data: {missing}" if missing else f"{count:,} requests, at least {least:,} are wanted"
    return Finding("requests", verdict, count, least, "requests", count, words)


def _success(canary: Sample, least: int, missing: str) -> Finding:
    requests, errors = canary.asked.requests, canary.asked.errors
    bound = least / 100
    if missing:
        return _nothing("success-rate", bound, "%", requests, missing)
    rate = math.floor((requests - errors) * TOTAL / requests) / 100  # never shown as more than it is
    words = f"success rate {rate:g} % of {requests:,} requests, at least {bound:g} % is wanted"
    fails = errors * TOTAL > (TOTAL - least) * requests
    certain = fails and _likely(errors, requests)[0] > 1 - least / TOTAL
    return Finding("success-rate", _verdict(fails), rate, bound, "%", requests, words, certain)


def _slowest(canary: Sample, most: float, missing: str) -> Finding:
    latency, bound = canary.latency, most * 1000
    value = latency.quantile(0.99)
    if missing or value is None:
        return _nothing("p99", bound, "ms", latency.count, missing)
    if value <= bound and not latency.is_bounded(0.99):
        words = f"the slowest answers took more than {value:g} ms, and nobody knows how much"
        return _nothing("p99", bound, "ms", latency.count, words)
    words = f"P99 {value:.4g} ms of {latency.count:,} answers, at most {bound:g} ms is wanted"
    fails = value > bound
    certain = fails and _likely(latency.beyond(bound), latency.count)[0] > 0.01
    return Finding("p99", _verdict(fails), round(value, 3), bound, "ms", latency.count, words, certain)


def _delta(canary: Sample, stable: Sample, most: int, missing: str) -> Finding:
    own, other = canary.asked, stable.asked
    bound = most / 100
    if missing:
        return _nothing("error-delta", bound, "pp", own.requests, missing)
    mine, others = _percent(own.errors, own.requests), _percent(other.errors, other.requests)
    delta = round(mine - others, 2)
    words = (
        f"{mine:g} % of {own.requests:,} requests failed, {others:g} % of the stable version's {other.requests:,}: "
        f"at most {bound:g} percentage points more are wanted"
    )
    fails = own.errors * TOTAL > own.requests * most + own.requests * (
        other.errors * TOTAL / other.requests if other.requests else 0
    )
    certain = fails and _likely(own.errors, own.requests)[0] - _likely(other.errors, other.requests)[1] > most / TOTAL
    return Finding("error-delta", _verdict(fails), delta, bound, "pp", own.requests, words, certain)


def _nothing(criterion: str, bound: float, unit: str, requests: int, why: str) -> Finding:
    return Finding(criterion, Verdict.NO_DATA, None, bound, unit, requests, f"no data for {criterion}: {why}")


def _verdict(fails: bool) -> Verdict:
    return Verdict.FAIL if fails else Verdict.PASS


def _percent(part: int, whole: int) -> float:
    return math.ceil(part * TOTAL / whole) / 100 if whole else 0.0


def _likely(part: int, whole: int) -> tuple[float, float]:
    """Return between which shares the true one lies, as far as chance goes (Wilson's score interval)."""
    if not whole:
        return 0.0, 1.0
    share, spread = part / whole, CHANCE**2 / whole
    middle = share + spread / 2
    reach = CHANCE * math.sqrt(share * (1 - share) / whole + spread / (4 * whole))
    return (middle - reach) / (1 + spread), (middle + reach) / (1 + spread)
