"""Breakers and limits as documents: what a service says, what operators force, what Envoys tell."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.config import JsonDict

from xds.api.scalars import Duration, Line
from xds.api.schemas.base import Input, Output, Page
from xds.wire.filter_schema import BreakerRule

_FORCED: JsonDict = {"force": "open", "by": "api:token", "reason": "it loses orders", "expires_in": "9m58s"}
_LIMITS: JsonDict = {"connections": 1024, "pending": 256, "requests": None, "retries": None, "retry_budget": None}
_MOST = 0xFFFF_FFFF
_COUNTS: JsonDict = {"state": "open", "opens": 1, "probes": 0, "remapped": 52, "rejected": 0}
_OUT: JsonDict = {
    "service": "web",
    "env": "default",
    "subset": "v2",
    "cluster": "web/v2",
    "rule": {"consecutive": 5, "errors": 50},
    "forced": None,
    "nodes": [{"node": "edge-1", **_COUNTS}],
}


class BreakerModel(BreakerRule):
    """A breaker's rule; what is left out has its default. `enabled: false` is a service without one."""

    enabled: bool = Field(True, strict=True, description="false: no breaker, whatever labels say")


def _switch(value: object) -> object:
    if isinstance(value, bool):
        return {"enabled": value}
    if not isinstance(value, dict | BreakerModel):
        message = "a breaker is true, false or an object with its rule"
        raise ValueError(message)
    return value


BreakerIn = Annotated[
    BreakerModel,
    BeforeValidator(_switch),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, BreakerModel.model_json_schema()]}),
]
"""`true` for a breaker with all defaults, `false` for none, or its rule."""


class LimitsIn(Input):
    """What each Envoy may have under way to one version of the service; what is left out has its default."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"connections": 1024, "pending": 256}]})

    connections: int | None = Field(None, ge=1, le=_MOST, description="open connections")
    pending: int | None = Field(None, ge=1, le=_MOST, description="requests that wait for a connection")
    requests: int | None = Field(None, ge=1, le=_MOST, description="requests in flight")
    retries: int | None = Field(None, ge=0, le=_MOST, description="retries in flight")
    retry_budget: int | None = Field(
        None, ge=0, le=100, description="percent of the requests in flight that may be retries; instead of `retries`"
    )


class LimitsOut(Output):
    """The limits of a service; null is the default."""

    model_config = ConfigDict(json_schema_extra={"examples": [_LIMITS]})

    connections: int | None
    pending: int | None
    requests: int | None
    retries: int | None
    retry_budget: int | None


class ForceIn(Input):
    """An operator's word: open sends nobody there, closed everybody whatever it answers."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"force": "open", "reason": "it loses orders", "expires_in": "10m"}]}
    )

    force: Literal["open", "closed"]
    reason: Line = Field("", description="why; it goes into the journal")
    expires_in: Duration | None = Field(
        None, description="how long, from a second to 30 days; without: until taken back"
    )


class ForcedOut(Output):
    """A breaker that an operator holds."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FORCED]})

    force: str = Field(description="open or closed")
    by: str
    reason: str
    expires_in: str | None = Field(description="null: until it is taken back")


class ReportedOut(Output):
    """How one breaker stands in one Envoy, as it told last; counts are since it was first heard of."""

    state: str = Field(description="closed, open, probing, ramp, forced open, forced closed, unknown, or gone")
    opens: int
    probes: int = Field(description="requests that tried it out")
    remapped: int = Field(description="requests that went to another version instead")
    rejected: int = Field(description="requests that were answered 503 instead")


class NodeBreaker(ReportedOut):
    """One Envoy's word of a breaker."""

    node: str


class ClusterBreaker(ReportedOut):
    """One of an Envoy's breakers."""

    cluster: str


class BreakerOut(Output):
    """The breaker of one version: its rule, what an operator forces, and how it stands in each Envoy."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OUT]})

    service: str
    env: str
    subset: str
    cluster: str
    rule: dict[str, int | bool] | None = Field(description="every number that holds; null: the service has no breaker")
    forced: ForcedOut | None
    nodes: list[NodeBreaker] = Field(description="Envoys that told of it within the last minute")


class BreakerList(Page[BreakerOut]):
    """A page of breakers, by environment and cluster."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_OUT], "next": None, "revision": 12}]})
