"""Policies as documents: how the services that a selector picks are treated."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from xds.api.scalars import Duration, Line, Name, Percent
from xds.api.schemas.base import Input, Output, Page
from xds.api.schemas.breaker import BreakerIn, LimitsIn, LimitsOut
from xds.api.schemas.weights import RetryIn, RetryOut

_MIRROR: JsonDict = {"subset": "v2", "share": 10, "service": None}
_IN: JsonDict = {"name": "strict", "selector": "tier=web", "timeout": "5s", "breaker": {"errors": 30}}
_OUT: JsonDict = {
    **_IN,
    "env": "default",
    "priority": 0,
    "retry": None,
    "limits": None,
    "allow_from": None,
    "mirror": _MIRROR,
    "services": ["web"],
    "revision": 12,
    "owner": "file:shop",
}


class MirrorIn(Input):
    """A share of the requests that a subset gets a copy of; nobody waits for the copy."""

    model_config = ConfigDict(json_schema_extra={"examples": [_MIRROR]})

    subset: Name
    share: Percent = 100
    service: Name | None = Field(None, description="another service of the environment; without: the one that is asked")


class MirrorOut(Output):
    """A share of the requests that a subset gets a copy of."""

    model_config = ConfigDict(json_schema_extra={"examples": [_MIRROR]})

    subset: str
    share: float | int
    service: str | None


class PolicyIn(Input):
    """A policy. It holds for the services that its selector picks, where these say nothing of a field themselves."""

    model_config = ConfigDict(json_schema_extra={"examples": [_IN]})

    name: Name | None = None
    env: Name | None = None
    selector: Annotated[
        str, Field(max_length=1024, description="over labels of services, `service`, `env`, `protocol`; empty: all")
    ]
    priority: int = Field(0, description="the highest goes first; then the selector that asks for more, then the name")
    timeout: Duration | None = None
    retry: RetryIn | None = None
    breaker: BreakerIn | None = None
    limits: LimitsIn | None = None
    allow_from: list[Line] | None = Field(None, max_length=256)
    mirror: MirrorIn | None = None


class PolicyOut(Output):
    """A policy as it is declared, and the services that it picks now."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OUT]})

    name: str
    env: str
    selector: str
    priority: int
    timeout: str | None
    retry: RetryOut | None
    breaker: dict[str, int | bool] | Literal[False] | None
    limits: LimitsOut | None
    allow_from: list[str] | None
    mirror: MirrorOut | None
    services: list[str]
    revision: int
    owner: str


class PolicyList(Page[PolicyOut]):
    """A page of policies, by environment and name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_OUT], "next": None, "revision": 12}]})
