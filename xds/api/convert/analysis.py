"""Criteria and judgements, both ways."""

from __future__ import annotations

from xds.api.convert.pointers import under
from xds.api.convert.weights import maybe_duration
from xds.api.scalars import write_percent
from xds.api.schemas.analysis import AnalysisIn, AnalysisOut, FindingOut, JudgedOut, JudgementOut, RolloutAnalysis
from xds.control.status import RolloutStatus
from xds.model.analysis import Analysis, Judgement, NoData
from xds.model.duration import write_duration
from xds.model.split import weight_from_percent


def analysis_of(document: AnalysisIn | None) -> Analysis | None:
    """Return the criteria that a document asks for."""
    if document is None:
        return None
    with under("/analysis"):
        return Analysis(
            min_requests=document.min_requests,
            success_rate=_share(document.success_rate, "/success_rate"),
            p99=document.p99,
            error_delta=_share(document.error_delta, "/error_delta"),
            no_data=NoData(document.no_data),
            wait=document.wait,
            rollback=document.rollback,
        )


def analysis_out(analysis: Analysis | None) -> AnalysisOut | None:
    """Return criteria as a document."""
    if analysis is None:
        return None
    return AnalysisOut(
        min_requests=analysis.min_requests,
        success_rate=None if analysis.success_rate is None else write_percent(analysis.success_rate),
        p99=maybe_duration(analysis.p99),
        error_delta=None if analysis.error_delta is None else write_percent(analysis.error_delta),
        no_data=analysis.no_data.value,
        wait=write_duration(analysis.wait),
        rollback=analysis.rollback,
    )


def judgement_out(judgement: Judgement | None) -> JudgementOut | None:
    """Return a judgement as a document."""
    if judgement is None:
        return None
    findings = [
        FindingOut(
            criterion=each.criterion,
            verdict=each.verdict.value,
            value=each.value,
            bound=each.bound,
            unit=each.unit,
            requests=each.requests,
            words=each.words,
            certain=each.certain,
        )
        for each in judgement.findings
    ]
    held = write_duration(round(judgement.held, 1))
    return JudgementOut(verdict=judgement.verdict.value, reason=judgement.reason, held=held, findings=findings)


def rollout_analysis(status: RolloutStatus) -> RolloutAnalysis:
    """Return how a rollout is judged now, and was in its steps before."""
    rollout = status.rollout
    past = [
        JudgedOut(step=each.step, weight=write_percent(each.weight), judgement=found, ruling=each.ruling.value)
        for each in rollout.judged
        if (found := judgement_out(each.judgement)) is not None
    ]
    return RolloutAnalysis(
        rollout=rollout.id,
        analysis=analysis_out(rollout.analysis),
        step=rollout.step,
        weight=write_percent(rollout.weight),
        present=judgement_out(status.judgement),
        past=past,
    )


def _share(percent: float | None, pointer: str) -> int | None:
    return None if percent is None else weight_from_percent(percent, pointer=pointer)
