"""Rollouts as documents: the plan, where it stands, and what every Envoy has acknowledged."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict, JsonValue

from xds.api.scalars import Duration, Name, Percent
from xds.api.schemas.analysis import CRITERIA, JUDGEMENT, AnalysisIn, AnalysisOut, JudgementOut
from xds.api.schemas.base import Input, Output, Page
from xds.api.schemas.preview import PREVIEW_OUT, PreviewIn, PreviewOut

_PLAN: list[JsonValue] = [{"weight": 5, "pause": "30s"}, {"weight": 50, "pause": None}, {"weight": 100, "pause": "0s"}]
_NODE: JsonDict = {
    "node": "edge-1",
    "wanted": {"v1": 95, "v2": 5},
    "sent": {"v1": 95, "v2": 5},
    "acked": None,
    "state": "waiting",
    "message": "",
}
_OUT: JsonDict = {
    "id": "web-v2-1",
    "service": "web",
    "env": "default",
    "version": "v2",
    "stable": "v1",
    "phase": "shifting",
    "state": "shifting",
    "reason": "",
    "weight": 5,
    "step": 0,
    "plan": _PLAN,
    "auto_promote": False,
    "preview": PREVIEW_OUT,
    "analysis": CRITERIA,
    "judgement": JUDGEMENT,
    "gate": {"state": "waiting", "reason": "", "acked": 0, "live": 1, "nodes": [_NODE]},
    "revision": 12,
    "change": 31,
    "owner": "api:anonymous",
}


class StepIn(Input):
    """A weight, and how long it is held once every Envoy has acknowledged it; null waits for an operator."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PLAN[0]]})

    weight: Percent
    pause: Duration | None = 0.0


class RolloutIn(Input):
    """Begin to move a service's users to `version`. Without a plan it starts at 0 and waits for weights."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"service": "web", "version": "v2", "plan": _PLAN}]})

    service: Name
    env: Name | None = None
    version: Name
    set: Name | None = Field(None, description="whose it is, as in apply: labels described for that set may renew it")
    plan: list[StepIn] = Field(default_factory=list, max_length=100)
    auto_promote: bool = False
    preview: PreviewIn | None = None
    analysis: AnalysisIn | None = None


class SetWeightIn(Input):
    """The new version's share."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"weight": 25}]})

    weight: Percent


class StepOut(Output):
    """One step of the plan."""

    weight: Annotated[float | int, Field(description="percent")]
    pause: str | None


class NodeGateOut(Output):
    """One Envoy: the weights it should have, was last sent and last acknowledged, in percent by subset."""

    model_config = ConfigDict(json_schema_extra={"examples": [_NODE]})

    node: str
    wanted: dict[str, float | int]
    sent: dict[str, float | int] | None
    acked: dict[str, float | int] | None
    state: str
    message: str


class GateOut(Output):
    """Whether the present weight is done: acknowledged by every live Envoy that holds the route."""

    state: str = Field(description="waiting, blocked or done")
    reason: str
    acked: int
    live: int
    nodes: list[NodeGateOut]


class RolloutOut(Output):
    """A rollout. `state` is its phase, or `blocked` with the reason why the plan does not go on."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OUT]})

    id: str
    service: str
    env: str
    version: str
    stable: str
    phase: str
    state: str
    reason: str
    weight: float | int
    step: int
    plan: list[StepOut]
    auto_promote: bool
    preview: PreviewOut | None = Field(description="while the rollout is on its way; over, what it was")
    analysis: AnalysisOut | None
    judgement: JudgementOut | None = Field(description="of the present weight; the last one where nobody uses it")
    gate: GateOut | None
    revision: int
    change: int = Field(description="pass it as `wait` to be answered when something has changed")
    owner: str


class RolloutList(Page[RolloutOut]):
    """A page of rollouts, by id."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_OUT], "next": None, "revision": 12}]})
