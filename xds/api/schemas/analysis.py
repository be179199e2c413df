"""Analysis as documents: the criteria of a rollout, and how it is judged by what Envoys report."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict, JsonValue

from xds.api.scalars import Duration, Percent
from xds.api.schemas.base import Input, Output
from xds.model.analysis import ENOUGH, MOST_REQUESTS, WAIT

CRITERIA: JsonDict = {
    "min_requests": 200,
    "success_rate": 99,
    "p99": "500ms",
    "error_delta": 0.5,
    "no_data": "pause",
    "wait": "5m",
    "rollback": True,
}
_WORDS = "success rate 91.2 % of 1,204 requests, at least 99 % is wanted"
_FINDINGS: list[JsonValue] = [
    {
        "criterion": "requests",
        "verdict": "pass",
        "value": 1204,
        "bound": 200,
        "unit": "requests",
        "requests": 1204,
        "words": "1,204 requests, at least 200 are wanted",
        "certain": False,
    },
    {
        "criterion": "success-rate",
        "verdict": "fail",
        "value": 91.2,
        "bound": 99,
        "unit": "%",
        "requests": 1204,
        "words": _WORDS,
        "certain": True,
    },
]
JUDGEMENT: JsonDict = {"verdict": "fail", "reason": _WORDS, "held": "32s", "findings": _FINDINGS}
_STEP: JsonDict = {"step": 0, "weight": 5, "judgement": JUDGEMENT, "ruling": "give back"}


class AnalysisIn(Input):
    """By what a rollout is judged, from what Envoys report since a weight is acknowledged. Null says nothing.

    A step whose pause is over goes on only when it is judged good. What is bad is taken back, or (without `rollback`)
    stopped; so is, at any time, a version half of whose requests fail, of 20 at least.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [CRITERIA]})

    min_requests: Annotated[int, Field(ge=1, le=MOST_REQUESTS, description="requests that a step needs")] = ENOUGH
    success_rate: Annotated[Percent | None, Field(description="percent of its requests that must not fail")] = None
    p99: Annotated[Duration | None, Field(description="time that 99 of 100 answers stay within")] = None
    error_delta: Annotated[
        Percent | None,
        Field(description="percentage points by which its failures may exceed those of the stable version"),
    ] = None
    no_data: Annotated[
        Literal["pause", "fail", "pass"], Field(description="what it means when it cannot be said after `wait`")
    ] = "pause"
    wait: Annotated[Duration, Field(description="how long beyond a step's pause enough requests are waited for")] = WAIT
    rollback: Annotated[bool, Field(description="give everybody back when it is judged bad; else it pauses")] = True


class AnalysisOut(Output):
    """By what a rollout is judged."""

    model_config = ConfigDict(json_schema_extra={"examples": [CRITERIA]})

    min_requests: int
    success_rate: float | int | None
    p99: str | None
    error_delta: float | int | None
    no_data: str
    wait: str
    rollback: bool


class FindingOut(Output):
    """One criterion: the value and its bound in `unit`, of how many requests. A value of null is no data."""

    criterion: str = Field(description="requests, success-rate, p99, error-delta, failures or instances")
    verdict: str = Field(description="pass, fail, no data or hard fail")
    value: float | None
    bound: float
    unit: str
    requests: int
    words: str
    certain: bool = Field(description="more than chance explains")


class JudgementOut(Output):
    """What Envoys' reports of `held` say of the new version, criterion by criterion."""

    model_config = ConfigDict(json_schema_extra={"examples": [JUDGEMENT]})

    verdict: str = Field(description="pass, fail, no data or hard fail")
    reason: str = Field(description="what the verdict stands on")
    held: str
    findings: list[FindingOut]


class JudgedOut(Output):
    """A step that was judged: its place in the plan (-1 without one), its weight, and the last word about it."""

    step: int
    weight: float | int
    judgement: JudgementOut
    ruling: str = Field(description="what followed: go on, stop or give back")


class RolloutAnalysis(Output):
    """How a rollout is judged.

    `present` is null where nobody uses the version now, or nothing is to be judged; `past` has the last 50 steps.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "rollout": "web-v2-1",
                    "analysis": CRITERIA,
                    "step": 1,
                    "weight": 25,
                    "present": JUDGEMENT,
                    "past": [_STEP],
                }
            ]
        }
    )

    rollout: str
    analysis: AnalysisOut | None
    step: int
    weight: float | int
    present: JudgementOut | None
    past: list[JudgedOut]
