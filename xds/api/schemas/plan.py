"""A plan: what applying documents would change, of the registry and of what Envoys get."""

from __future__ import annotations

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from xds.api.schemas.base import Output, ProblemOut
from xds.api.schemas.report import StandingProblem

_FIELD: JsonDict = {"field": "/timeout", "before": "15s", "after": "5s"}
_OBJECT: JsonDict = {"kind": "service", "name": "default/web", "outcome": "changed", "fields": [_FIELD], "error": None}
_RESOURCE: JsonDict = {
    "type": "rds",
    "name": "gateway/edge",
    "variant": "default",
    "change": "changed",
    "detail": ["web: v1 95 % · v2 5 % -> v1 90 % · v2 10 %"],
}


class FieldChange(Output):
    """One field: what it is, and what it would be."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FIELD]})

    field: str = Field(description="a pointer into the object's document")
    before: object = None
    after: object = None


class PlannedObject(Output):
    """What would become of one object: created, changed, unchanged, removed or refused."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OBJECT]})

    kind: str
    name: str
    outcome: str
    fields: list[FieldChange] = Field(description="for what would be changed")
    error: ProblemOut | None = None


class PlannedResource(Output):
    """One Envoy resource that would be added, changed or removed; `detail` tells weights and endpoints in words."""

    model_config = ConfigDict(json_schema_extra={"examples": [_RESOURCE]})

    type: str = Field(description="cds, eds, rds, lds or ecds")
    name: str
    variant: str = Field(description="the environment, or the nodes, that would get it")
    change: str
    detail: list[str]


class PlanOut(Output):
    """A plan. Nothing of it has been done."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "objects": [_OBJECT],
                    "resources": [_RESOURCE],
                    "problems": [],
                    "needs_force": [],
                    "changes": True,
                    "failed": 0,
                }
            ]
        }
    )

    objects: list[PlannedObject] = Field(description="one for each document, in their order, then what would be pruned")
    resources: list[PlannedResource] = Field(description="by type and name")
    problems: list[StandingProblem] = Field(description="those that would be new")
    needs_force: list[str] = Field(description="what pruning would cost, and is refused without `force`")
    changes: bool
    failed: int
