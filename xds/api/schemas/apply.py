"""Several documents in one request, each with its `kind`: what `apply -f` sends."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, SkipValidation
from pydantic.config import JsonDict

from xds.api.scalars import Name
from xds.api.schemas.base import Input, Output, ProblemOut
from xds.api.schemas.gateway import GatewayIn
from xds.api.schemas.instance import InstanceIn
from xds.api.schemas.policy import PolicyIn
from xds.api.schemas.route import RouteIn
from xds.api.schemas.service import ServiceIn

_SERVICE: JsonDict = {"kind": "service", "name": "web", "split_key": {"header": "x-user"}}


class ServiceDocument(ServiceIn):
    """A service, with its kind."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SERVICE]})

    kind: Literal["service"]


class InstanceDocument(InstanceIn):
    """An instance, with its kind."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "instance", "service": "web", "address": "10.0.0.7", "port": 8080}]}
    )

    kind: Literal["instance"]


class RouteDocument(RouteIn):
    """A route, with its kind."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "route", "service": "web", "name": "api", "path": "/api"}]}
    )

    kind: Literal["route"]


class GatewayDocument(GatewayIn):
    """A gateway, with its kind."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "gateway", "name": "edge", "listeners": [{"port": 8080}]}]}
    )

    kind: Literal["gateway"]


class PolicyDocument(PolicyIn):
    """A policy, with its kind."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "policy", "name": "strict", "selector": "tier=web", "timeout": "5s"}]}
    )

    kind: Literal["policy"]


Document = Annotated[
    ServiceDocument | InstanceDocument | RouteDocument | GatewayDocument | PolicyDocument, Field(discriminator="kind")
]
"""One declared object; `kind` says which schema it follows."""


class ApplyIn(Input):
    """Documents, applied as one batch: services first, then policies, instances, routes and gateways.

    `set` names the collection that they belong to, and so their owner; `dry_run` says what would happen. `prune`
    removes what the set declared before and names no more, `force` also where that costs users their last instance, or
    the set everything.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"documents": [_SERVICE], "set": "shop"}]})

    documents: list[SkipValidation[Document]]
    set: Name | None = None
    dry_run: bool = False
    prune: bool = False
    force: bool = False


class ApplyResult(Output):
    """What became of one document: created, changed, unchanged, removed or refused."""

    kind: str = ""
    name: str = ""
    outcome: str = Field(description="created, changed, unchanged, removed or refused")
    revision: int | None = None
    error: ProblemOut | None = None


class ApplyOut(Output):
    """What became of each document, in the order in which they came."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "results": [{"kind": "service", "name": "default/web", "outcome": "created", "revision": 5}],
                    "pruned": [],
                    "failed": 0,
                    "dry_run": False,
                }
            ]
        }
    )

    results: list[ApplyResult]
    pruned: list[ApplyResult] = Field(description="what the set declared before and names no more")
    failed: int
    dry_run: bool
