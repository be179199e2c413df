"""Services as documents: policy, subsets and the split between them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from xds.api.scalars import Duration, Line, Name, Port
from xds.api.schemas.base import Input, Output, Page
from xds.api.schemas.breaker import BreakerIn, ForcedOut, LimitsIn, LimitsOut
from xds.api.schemas.weights import RetryIn, RetryOut, SplitKeyIn, WeightIn, WeightOut

ProtocolName = Literal["http", "h2c", "grpc", "tcp"]
BalancingName = Literal["round-robin", "least-request", "random", "ring-hash", "maglev"]

_OUTLIER: JsonDict = {"consecutive_5xx": 5, "interval": "10s", "ejection": "30s", "max_ejected": 50}
_EXAMPLE: JsonDict = {
    "name": "web",
    "protocol": "http",
    "split_key": {"header": "x-user"},
    "split": [{"subset": "v1", "weight": 95}, {"subset": "v2", "weight": 5}],
    "timeout": "15s",
    "breaker": {"errors": 30},
}
_OUT: JsonDict = {
    **_EXAMPLE,
    "env": "default",
    "protocols": {},
    "subsets": [],
    "stable": "v1",
    "segments": [{"subset": "v1", "weight": 95}, {"subset": "v2", "weight": 5}],
    "salt": "default/web",
    "balancing": "round-robin",
    "hash_key": "source",
    "outlier": None,
    "connect_timeout": "2s",
    "retry": {"attempts": 2, "on": ["connect-failure"], "per_try": None},
    "upstream_port": None,
    "forced": {},
    "limits": None,
    "allow_from": None,
    "labels": {},
    "revision": 7,
    "owner": "api:anonymous",
    "instances": 4,
}


class SubsetIn(Input):
    """A named selection of the service's instances."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "canary", "selector": "version in (v2,v3)"}]})

    name: Name
    selector: Annotated[str, Field(max_length=1024)]


class SubsetOut(Output):
    """A named selection of the service's instances, its selector in canonical spelling."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "canary", "selector": "version in (v2,v3)"}]})

    name: str
    selector: str


class OutlierIn(Input):
    """When Envoy leaves out an instance: `consecutive_5xx` failures in a row cost it `ejection`, longer each time."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"consecutive_5xx": 5, "ejection": "30s"}]})

    consecutive_5xx: Annotated[int, Field(ge=1, le=1_000_000)] = 5
    interval: Duration = 10.0
    ejection: Duration = 30.0
    max_ejected: Annotated[int, Field(ge=1, le=100, description="percent of a version's instances")] = 50


class OutlierOut(Output):
    """When Envoy leaves out an instance, times as text."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OUTLIER]})

    consecutive_5xx: int
    interval: str
    ejection: str
    max_ejected: int


class ServiceIn(Input):
    """A service. What the document does not say of `stable`, `split` and `upstream_port` stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Name | None = None
    env: Name | None = None
    protocol: ProtocolName = "http"
    protocols: dict[str, ProtocolName] = Field(default_factory=dict)
    subsets: list[SubsetIn] = Field(default_factory=list, max_length=256)
    stable: Name | None = None
    split: list[WeightIn] | None = Field(None, max_length=64, description="an empty list says nothing of it either")
    split_key: SplitKeyIn | None = None
    balancing: BalancingName = "round-robin"
    hash_key: SplitKeyIn | None = Field(None, description="what balancing by hash looks at; the client's address else")
    outlier: OutlierIn | None = Field(None, description="leaves out instances by what they answer; null: none")
    connect_timeout: Duration | None = None
    timeout: Duration | None = None
    retry: RetryIn | None = None
    upstream_port: Port | None = None
    breaker: BreakerIn | None = None
    limits: LimitsIn | None = None
    allow_from: list[Line] | None = Field(
        None, max_length=256, description="services, addresses and prefixes that may call it; `*` is everybody"
    )
    labels: dict[str, str] = Field(default_factory=dict)


class ServiceOut(Output):
    """A service with its split: totals by subset, and the ordered segments of buckets that Envoy walks."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OUT]})

    name: str
    env: str
    protocol: str
    protocols: dict[str, str]
    subsets: list[SubsetOut]
    stable: str
    split: list[WeightOut]
    segments: list[WeightOut]
    salt: str
    split_key: str | dict[str, str]
    balancing: str
    hash_key: str | dict[str, str]
    outlier: OutlierOut | None
    connect_timeout: str
    timeout: str | None = Field(description="as declared; null: policies decide, and else 15s")
    retry: RetryOut | None = Field(description="as declared; null: policies decide")
    upstream_port: int | None
    breaker: dict[str, int | bool] | Literal[False] | None = Field(
        description="what was declared beyond the defaults; false: none; null: labels decide"
    )
    forced: dict[str, ForcedOut] = Field(description="breakers that operators hold, by subset")
    limits: LimitsOut | None = Field(description="as declared; null: labels decide")
    allow_from: list[str] | None = Field(description="as declared; null: labels decide")
    labels: dict[str, str]
    revision: int
    owner: str
    instances: int


class ServiceList(Page[ServiceOut]):
    """A page of services, by environment and name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_OUT], "next": None, "revision": 7}]})
