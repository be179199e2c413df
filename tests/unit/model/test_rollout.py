"""A rollout is a table of legal steps: every pair of phase and event, and the ways that a plan can take."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest

from tests.harness.declared import WEB
from xds.model.analysis import Finding, Judged, Judgement, Ruling, Verdict
from xds.model.problems import Conflict, InvalidInput
from xds.model.rollout import (
    MAX_JUDGED,
    MAX_STEPS,
    STEPS,
    Abort,
    Acked,
    Doubted,
    Elapsed,
    Event,
    Failed,
    Pause,
    Phase,
    Promote,
    Resume,
    Rollout,
    SetWeight,
    Step,
    advance,
)

BAD = Judgement(Verdict.FAIL, (Finding("success-rate", Verdict.FAIL, 91.2, 99, "%", 1204, "91.2 % is too little"),))
GOOD = Judgement(Verdict.PASS, (Finding("requests", Verdict.PASS, 1204, 100, "requests", 1204, "1,204 requests"),))
EVENTS: tuple[Event, ...] = (
    Acked(), Elapsed(), Failed(BAD), Doubted(BAD), Pause(), Resume(), SetWeight(4200), Promote(), Abort(),
)  # fmt: skip
PAIRS = list(itertools.product(Phase, EVENTS))
IDS = [f"{phase}-{type(event).__name__}" for phase, event in PAIRS]


def started(*plan: Step, auto_promote: bool = False) -> Rollout:
    return replace(Rollout.start("web-v2-1", WEB, "v2", "v1", plan), auto_promote=auto_promote)


def after(rollout: Rollout, *events: Event) -> Rollout:
    for event in events:
        rollout = advance(rollout, event)
    return rollout


def at(phase: Phase) -> Rollout:
    """A rollout in the first of two steps, in that phase."""
    return replace(started(Step(500, 60), Step(5000)), phase=phase, acked=phase in {Phase.HOLDING, Phase.PAUSED})


@pytest.mark.parametrize(("phase", "event"), PAIRS, ids=IDS)
def test_a_step_is_in_the_table_or_refused_and_then_nothing_changed(phase: Phase, event: Event) -> None:
    rollout = at(phase)
    if (phase, type(event)) not in STEPS:
        with pytest.raises(Conflict, match=f"rollout web-v2-1: it is {phase}") as caught:
            advance(rollout, event)
        assert caught.value.code == "illegal_step"
    else:
        assert advance(rollout, event).phase in {STEPS[phase, type(event)], Phase.PAUSED}


@pytest.mark.parametrize(("phase", "event"), PAIRS, ids=IDS)
def test_no_step_leads_out_of_the_end(phase: Phase, event: Event) -> None:
    if phase.is_over and (phase, type(event)) in STEPS:
        assert advance(at(phase), event) == at(phase)


@pytest.mark.parametrize("phase", Phase)
def test_abort_is_legal_in_every_phase_and_twice(phase: Phase) -> None:
    once = advance(at(phase), Abort())
    assert advance(once, Abort()) == once
    if not phase.is_over:
        assert once.phase is Phase.ABORTING
        if phase is not Phase.ABORTING:
            assert (once.weights, once.acked) == ({"v1": 10_000, "v2": 0}, False)


def test_an_abort_ends_when_every_envoy_has_acknowledged_it() -> None:
    assert after(started(Step(500)), Abort(), Acked()).phase is Phase.ABORTED


def test_a_promotion_that_is_under_way_can_still_be_aborted() -> None:
    assert after(started(), Promote(), Abort()).weights == {"v1": 10_000, "v2": 0}


def test_without_a_plan_an_operator_sets_every_weight() -> None:
    rollout = after(started(), Acked())
    assert (rollout.phase, rollout.weight) == (Phase.PAUSED, 0)
    rollout = after(rollout, SetWeight(1000))
    assert (rollout.phase, rollout.weight, rollout.acked) == (Phase.SHIFTING, 1000, False)
    assert after(rollout, Acked()).phase is Phase.PAUSED
    assert after(rollout, Acked(), Promote(), Acked()).phase is Phase.SUCCEEDED


def test_a_plan_is_walked_step_by_step_each_acknowledged_and_held() -> None:
    rollout = started(Step(500, 30), Step(2500, 60), Step(10_000))
    seen = []
    while rollout.phase is not Phase.PAUSED:
        seen.append((rollout.phase.value, rollout.weight))
        rollout = advance(rollout, Acked() if rollout.phase is Phase.SHIFTING else Elapsed())
    assert seen == [(phase, weight) for weight in (500, 2500, 10_000) for phase in ("shifting", "holding")]
    assert rollout.reason == "the plan is finished: promote or abort"


def test_the_end_of_a_plan_waits_and_resume_says_what_to_do() -> None:
    rollout = after(started(Step(500)), Acked(), Elapsed())
    assert rollout.phase is Phase.PAUSED
    with pytest.raises(Conflict, match="promote or abort it"):
        advance(rollout, Resume())
    assert after(rollout, Promote()).weights == {"v1": 0, "v2": 10_000}


def test_with_auto_promote_the_end_of_a_plan_promotes() -> None:
    rollout = after(started(Step(500), auto_promote=True), Acked(), Elapsed())
    assert (rollout.phase, rollout.weight, rollout.acked) == (Phase.PROMOTING, 10_000, False)
    assert after(rollout, Acked()).phase is Phase.SUCCEEDED


def test_a_step_without_an_end_waits_for_an_operator() -> None:
    rollout = after(started(Step(500, None), Step(5000)), Acked())
    assert (rollout.phase, rollout.reason) == (Phase.PAUSED, "the plan waits here: resume, promote or abort")
    assert after(rollout, Resume()).weight == 5000


def test_a_pause_before_the_acknowledgement_goes_on_with_the_same_weight() -> None:
    rollout = after(started(Step(500, 30), Step(5000)), Pause(), Resume())
    assert (rollout.phase, rollout.weight) == (Phase.SHIFTING, 500)


def test_an_acknowledgement_during_a_pause_is_remembered() -> None:
    rollout = after(started(Step(500, 30), Step(5000)), Pause(), Acked())
    assert (rollout.phase, rollout.acked) == (Phase.PAUSED, True)
    assert after(rollout, Resume()).weight == 5000


PLAN = (Step(500, 30), Step(2500, 30), Step(5000, 30))


@pytest.mark.parametrize(
    ("weight", "then"),
    [(100, 2500), (1000, 2500), (2500, 5000), (3000, 5000)],
    ids=["far below", "below", "the same", "above"],
)
def test_a_plan_resumed_after_a_manual_weight_goes_on_with_the_next_greater_step(weight: int, then: int) -> None:
    """Who stepped back from 25 percent to 10 is led through 25 again, not from 10 to 50."""
    rollout = after(started(*PLAN), Acked(), Elapsed(), Acked(), SetWeight(weight), Acked())
    assert (rollout.phase, rollout.manual) == (Phase.PAUSED, True)
    rollout = after(rollout, Resume())
    assert (rollout.weight, rollout.manual) == (then, False)


def test_a_manual_weight_beyond_the_plan_finishes_it() -> None:
    rollout = after(started(*PLAN), SetWeight(6000), Acked())
    with pytest.raises(Conflict, match="is finished"):
        advance(rollout, Resume())


@pytest.mark.parametrize("weight", [-1, 10_001])
def test_a_weight_outside_a_hundred_percent_is_refused_by_hand_and_in_a_plan(weight: int) -> None:
    with pytest.raises(InvalidInput):
        advance(started(), SetWeight(weight))
    with pytest.raises(InvalidInput):
        Step(weight)


@pytest.mark.parametrize("pause", [-1.0, math.nan, math.inf, 8 * 86_400.0])
def test_a_pause_lasts_from_nothing_to_a_week(pause: float) -> None:
    with pytest.raises(InvalidInput) as caught:
        Step(500, pause)
    assert caught.value.pointer == "/pause"


def test_a_rollout_of_the_stable_version_is_refused() -> None:
    with pytest.raises(InvalidInput, match="already the stable version"):
        Rollout.start("web-v1-1", WEB, "v1", "v1")


def test_a_plan_has_a_bounded_number_of_steps() -> None:
    with pytest.raises(InvalidInput) as caught:
        started(*[Step(1)] * (MAX_STEPS + 1))
    assert caught.value.pointer == "/plan"


def test_a_version_that_is_judged_bad_loses_its_users_and_keeps_the_evidence() -> None:
    rollout = after(started(*PLAN), Acked(), Elapsed(GOOD), Acked(), Failed(BAD))
    assert (rollout.phase, rollout.weights, rollout.acked) == (Phase.ABORTING, {"v1": 10_000, "v2": 0}, False)
    assert rollout.reason == "taken back: 91.2 % is too little"
    ended = after(rollout, Acked())
    assert (ended.phase, ended.reason) == (Phase.ABORTED, rollout.reason)
    assert ended.judged == (Judged(0, 500, GOOD, Ruling.GO_ON), Judged(1, 2500, BAD, Ruling.GIVE_BACK))
    assert ended.last_judgement == BAD


def test_a_version_that_is_doubted_keeps_its_users_until_somebody_decides() -> None:
    rollout = after(started(*PLAN), Acked(), Doubted(BAD))
    assert (rollout.phase, rollout.weight, rollout.acked) == (Phase.PAUSED, 500, True)
    assert rollout.reason == "91.2 % is too little: resume, promote or abort"
    assert rollout.is_doubted
    assert not after(rollout, Pause()).is_doubted, "somebody has decided"
    assert not after(rollout, SetWeight(500), Acked()).is_doubted
    assert after(rollout, Resume()).weight == 2500
    assert after(rollout, Failed(BAD)).phase is Phase.ABORTING, "it may still fail hard"


def test_a_doubt_before_the_acknowledgement_stays_after_it() -> None:
    rollout = after(started(*PLAN), Doubted(BAD), Acked())
    assert (rollout.phase, rollout.acked) == (Phase.PAUSED, True)
    assert "too little" in rollout.reason


def test_only_the_last_judgements_are_kept() -> None:
    rollout = started(*[Step(weight, 1.0) for weight in range(1, MAX_STEPS + 1)])
    for _ in range(MAX_JUDGED + 10):
        rollout = after(rollout, Acked(), Elapsed(GOOD))
    assert [each.step for each in rollout.judged] == list(range(10, MAX_JUDGED + 10))
