"""Instances as documents, one by one and in batches, and their heartbeats."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path
from pydantic import ConfigDict, Field, SkipValidation, model_validator
from pydantic.config import JsonDict

from xds.api.scalars import Duration, Line, Name, Port
from xds.api.schemas.base import Input, Output, Page, ProblemOut
from xds.api.schemas.check import CheckIn, CheckOut
from xds.api.schemas.verdict import VerdictOut

_EXAMPLE: JsonDict = {
    "service": "web",
    "address": "10.0.0.7",
    "port": 8080,
    "version": "v1",
    "zone": "eu-1a",
    "labels": {"team": "shop"},
}
_OUT: JsonDict = {
    **_EXAMPLE,
    "id": "web-10-0-0-7-8080",
    "env": "default",
    "ports": {"default": 8080},
    "weight": 100,
    "region": "",
    "metadata": {},
    "ingress": None,
    "ttl": None,
    "epoch": 4,
    "seq": 1,
    "start": "",
    "revision": 4,
    "health": "healthy",
    "owner": "api:anonymous",
    "check": None,
    "lease": None,
    "drift": {},
}

InstanceId = Annotated[str, Path(max_length=256, description="the instance's id")]
"""Where a path names an instance."""


class InstanceIn(Input):
    """One process that serves. `port`, or `ports` by name; the first of `ports` is the service's own.

    Without an `id` it gets one from service, address and port.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: Name | None = None
    service: Name
    env: Name = "default"
    address: Annotated[str, Field(max_length=64, description="an IPv4 or IPv6 address")]
    port: Port | None = None
    ports: dict[str, Port] | None = None
    version: Name = "unversioned"
    weight: Annotated[int, Field(ge=0, le=10_000)] = 100
    region: Name = ""
    zone: Name = ""
    labels: dict[str, str] = Field(default_factory=dict)
    metadata: dict[str, str] = Field(default_factory=dict)
    ingress: Annotated[str, Field(max_length=64, description="host:port of its sidecar")] | None = None
    ttl: Duration | None = None
    check: CheckIn | None = None
    epoch: Annotated[int, Field(ge=0)] | None = None
    seq: Annotated[int, Field(ge=0)] | None = None
    start: Annotated[Name, Field(description="tells this process from the one before it; another begins an epoch")] = ""

    @model_validator(mode="after")
    def _one_way_to_say_ports(self) -> InstanceIn:
        if (self.port is None) == (self.ports is None):
            message = "an instance has a port, or named ports" + ("" if self.port is None else ", not both")
            raise ValueError(message)
        return self


class LeaseOut(Output):
    """How long the instance stays known without another heartbeat."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"expires_in": "10s"}]})

    expires_in: str


class DriftOut(Output):
    """One label, or field that selectors see: as a set of files declared it, and as the instance says it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"declared": "shop", "found": None}]})

    declared: str
    found: str | None = Field(description="null: it is missing")


class InstanceOut(Output):
    """An instance as it is declared, and what is known of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OUT]})

    id: str
    service: str
    env: str
    address: str
    port: int = Field(description="the service's own port: the first of `ports`")
    ports: dict[str, int]
    version: str
    weight: int
    region: str
    zone: str
    labels: dict[str, str]
    metadata: dict[str, str]
    ingress: str | None
    ttl: str | None
    check: CheckOut | None
    epoch: int
    seq: int
    start: str
    revision: int
    health: str
    owner: str
    lease: LeaseOut | None
    drift: dict[str, DriftOut] = Field(description="what is not as a set of files declared it, by label")
    verdict: VerdictOut | None = Field(None, description="why it is as healthy as it is; where one is read by its id")


class InstanceList(Page[InstanceOut]):
    """A page of instances, by id."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_OUT], "next": None, "revision": 4}]})


class BatchIn(Input):
    """Many instances in one commit; each is judged by itself, one bad item costs one item."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE]}]})

    items: list[SkipValidation[InstanceIn]]


class BatchResult(Output):
    """What became of one item: an id and a revision, or an error."""

    id: str | None = None
    revision: int | None = None
    error: ProblemOut | None = None


class BatchOut(Output):
    """What became of each item, in the order in which they came."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"results": [{"id": "web-10-0-0-7-8080", "revision": 4}], "failed": 0}]}
    )

    results: list[BatchResult]
    failed: int


class HeartbeatIn(Input):
    """The incarnation and the message number that the instance is at; both may be left out."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"epoch": 4, "seq": 17}]})

    epoch: Annotated[int, Field(ge=0)] | None = None
    seq: Annotated[int, Field(ge=0)] | None = None


class NamedHeartbeatIn(HeartbeatIn):
    """A heartbeat that says whose it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "web-10-0-0-7-8080", "epoch": 4, "seq": 17}]})

    id: Name


class DeregisterIn(Input):
    """Many instances that go, each with the incarnation that is meant."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [{"id": "web-10-0-0-7-8080"}]}]})

    items: list[SkipValidation[NamedHeartbeatIn]]


class RuntimeIn(Input):
    """What whoever runs the instance says of its health, such as a container engine by its own check."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"health": "unhealthy", "why": "exit code 1"}]})

    health: Literal["healthy", "unhealthy"]
    why: Line = Field("", description="for people; `explain` shows it")
    silent: bool = Field(default=False, description="its check came to no end, so the engine may be what is ill")


class RenewalIn(NamedHeartbeatIn):
    """One heartbeat of a batch. `runtime` is the source's last word: it stands until another one comes."""

    runtime: RuntimeIn | None = None


class HeartbeatsIn(Input):
    """The heartbeats of many instances."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [{"id": "web-10-0-0-7-8080"}]}]})

    items: list[SkipValidation[RenewalIn]]


class HeartbeatResult(Output):
    """What became of one heartbeat."""

    id: str | None = None
    expires_in: str | None = None
    error: ProblemOut | None = None


class HeartbeatsOut(Output):
    """What became of each heartbeat, in the order in which they came."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"results": [{"id": "web-10-0-0-7-8080", "expires_in": "10s"}], "failed": 0}]}
    )

    results: list[HeartbeatResult]
    failed: int
