"""Labels as documents: what is said by them, and the documents, proposals and problems that they come to."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, JsonValue
from pydantic.config import JsonDict

from xds.api.scalars import Duration, Line, Name
from xds.api.schemas.analysis import CRITERIA, AnalysisOut
from xds.api.schemas.base import Input, Output
from xds.api.schemas.preview import PREVIEW_OUT, PreviewOut

_LABELS: JsonDict = {"service": "checkout", "version": "2.4.1", "port": 8080, "route": {"api": {"path": "/v1"}}}
_ITEM: JsonDict = {"address": "10.0.0.7", "labels": _LABELS}
_PLAN: list[JsonValue] = [{"weight": 0, "pause": None}, {"weight": 5, "pause": "2m"}, {"weight": 100, "pause": "2m"}]
_PROBLEM: JsonDict = {
    "item": 0,
    "pointer": "/labels/fairlead.zon",
    "detail": "nothing is known by that name; did you mean fairlead.zone?",
    "severity": "warning",
}
_PROPOSAL: JsonDict = {
    "service": "checkout",
    "env": "default",
    "version": "2.4.1",
    "field": "timeout",
    "holds": "15.0",
    "wanted": "5.0",
    "rollout": None,
}
_WAITING: JsonDict = {
    "service": "checkout",
    "env": "default",
    "version": "2.4.1",
    "entry": "auto",
    "plan": _PLAN,
    "auto_promote": False,
    "preview": PREVIEW_OUT,
    "analysis": CRITERIA,
    "rollout": None,
}
_STALE: JsonDict = {"name": "checkout.api", "env": "default", "abandoned": False}
_INSTANCE: JsonDict = {"kind": "instance", "service": "checkout", "address": "10.0.0.7", "ports": {"default": 8080}}


class LabelsIn(Input):
    """One process with labels. They nest where labels have dots; the prefix `fairlead.` may be left out."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ITEM]})

    id: Name | None = Field(None, description="without one it is made of service, address and port")
    name: Line = Field("", description="what problems call it")
    address: Annotated[str, Field(max_length=64, description="an IPv4 or IPv6 address")]
    image: Line = Field("", description="its tag is the version where labels say none")
    labels: dict[str, JsonValue]
    env: Name | None = Field(None, description="where labels name none")
    ttl: Duration | None = None


class DescribeIn(Input):
    """Processes with labels. `set` is whoever will own the documents, as in `apply`.

    With `registered`, everything that is registered with labels counts beside the items, as far as it is of no other
    set: so several hosts come to one result. `documents` then holds what is said of services alone.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_ITEM], "set": "shop"}]})

    items: list[LabelsIn]
    set: Name | None = None
    registered: bool = False


class LabelProblemOut(Output):
    """A mistake in the labels of an item, or of several together (`item` null)."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PROBLEM]})

    item: int | None
    pointer: str
    detail: str
    severity: str


class ProposalOut(Output):
    """What a version says of its service that does not hold, as long as another one is stable.

    `rollout` is the one in progress that may make it the stable one.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_PROPOSAL]})

    service: str
    env: str
    version: str
    field: str
    holds: str
    wanted: str
    rollout: str | None


class WaitingOut(Output):
    """A version without users, the plan of the rollout that it would like, and who sees it meanwhile.

    `rollout` is the last one that it was part of, as the new version or as the old one; null: it was never seen before.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_WAITING]})

    service: str
    env: str
    version: str
    entry: str
    plan: list[dict[str, JsonValue]]
    auto_promote: bool
    preview: PreviewOut | None
    analysis: AnalysisOut | None
    rollout: str | None


class StaleOut(Output):
    """A route that the set declared and that no label names any more.

    `abandoned`: of its service nothing is registered at all, so its containers may come back.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_STALE]})

    name: str
    env: str
    abandoned: bool


class DescribeOut(Output):
    """What labels come to. `documents` are for `apply`, `sources` tells which item each came from (null: several)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "documents": [_INSTANCE],
                    "sources": [0],
                    "problems": [_PROBLEM],
                    "proposals": [_PROPOSAL],
                    "waiting": [_WAITING],
                    "stale": [_STALE],
                }
            ]
        }
    )

    documents: list[dict[str, JsonValue]]
    sources: list[int | None]
    problems: list[LabelProblemOut]
    proposals: list[ProposalOut]
    waiting: list[WaitingOut]
    stale: list[StaleOut]
