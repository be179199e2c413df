"""Breakers and limits as documents: what a service says, what operators force, what Envoys tell."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.config import JsonDict

from xds.api.scalars import Duration, Line
from xds.api.schemas.base import Input, Output
from xds.wire.filter_schema import BreakerRule

_FORCED: JsonDict = {"force": "open", "by": "api:token", "reason": "it loses orders", "expires_in": "9m58s"}
_LIMITS: JsonDict = {"connections": 1024, "pending": 256, "requests": None, "retries": None}
_MOST = 0xFFFF_FFFF


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


class LimitsOut(Output):
    """The limits of a service; null is the default."""

    model_config = ConfigDict(json_schema_extra={"examples": [_LIMITS]})

    connections: int | None
    pending: int | None
    requests: int | None
    retries: int | None


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
