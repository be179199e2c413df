"""Containers as documents: as the agent on their host sees them, and explained from their labels to every Envoy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from xds.api.scalars import Line
from xds.api.schemas.base import Input, Output, Page
from xds.api.schemas.check import CheckIn, CheckOut
from xds.api.schemas.instance import LeaseOut
from xds.api.schemas.report import MemberOut, StandingProblem, SubsetReport
from xds.api.schemas.rollout import NodeGateOut

StandingName = Literal["registered", "unlabelled", "refused", "unready", "draining", "ended", "unknown"]

_ID = "3f2a9c1b7d40c1e8a5b2d97f60e4138b5a7c9d2e1f3046b8c7d5e9a1b2c3d4e5"
_IN: JsonDict = {
    "id": _ID,
    "name": "web-1",
    "standing": "registered",
    "why": "registered at 172.17.0.2 (network bridge)",
    "image": "example/web:v1",
    "service": "web",
    "env": "default",
    "version": "v1",
    "instance": "web-3f2a9c1b7d40",
    "address": "172.17.0.2:8080",
    "way": "network bridge",
    "rejected": ["127.0.0.1 (published on 0.0.0.0:18080): answers, too"],
    "healthcheck": "",
    "labels": {"fairlead.service": "web"},
    "problems": [],
}
_OUT: JsonDict = {**_IN, "agent": "host-7", "agent_state": "alive", "check": None}
_HIDDEN: JsonDict = {
    "id": "9b1c", "name": "db", "standing": "unlabelled",
    "why": "it did not opt in: fairlead.enable is not true, and it has no label fairlead.service",
}  # fmt: skip

ContainerId = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_.-]+$")]


class FindingIn(Input):
    """What is wrong with one label."""

    pointer: Line = ""
    message: Line


class ContainerIn(Input):
    """One container as its agent sees it; what it has not come to is left out."""

    model_config = ConfigDict(json_schema_extra={"examples": [_IN]})

    id: ContainerId
    name: Line = ""
    standing: StandingName
    why: Line = ""
    image: Line = ""
    service: Line = ""
    env: Line = ""
    version: Line = ""
    instance: Line = ""
    address: Line = ""
    way: Line = ""
    rejected: Annotated[list[Line], Field(max_length=64)] = Field(default_factory=list)
    check: CheckIn | None = None
    healthcheck: Line = ""
    labels: Annotated[dict[Line, Line], Field(max_length=128)] = Field(default_factory=dict)
    problems: Annotated[list[FindingIn], Field(max_length=64)] = Field(default_factory=list)


class ContainersIn(Input):
    """Everything that an agent sees."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_IN, _HIDDEN]}]})

    items: list[ContainerIn]


class ContainersPatchIn(Input):
    """What changed in it: containers as they are now, and the ids of those that are not there any more."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_IN], "gone": ["9b1c"]}]})

    items: list[ContainerIn] = Field(default_factory=list)
    gone: list[ContainerId] = Field(default_factory=list)


class FindingOut(Output):
    """What is wrong with one label."""

    pointer: str
    message: str


class ContainerOut(Output):
    """One container as its agent saw it last."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OUT]})

    id: str
    name: str
    agent: str
    agent_state: str = Field(description="alive, or lost: then this is old")
    standing: str = Field(description="registered, or why it is not")
    why: str
    image: str
    service: str
    env: str
    version: str
    instance: str = Field(description="the id of its instance, registered or not")
    address: str = Field(description="where it is registered")
    way: str = Field(description="how that was found: a network, a published port, the host's network, a label")
    rejected: list[str] = Field(description="the other places, each with its reason")
    check: CheckOut | None = Field(description="how it is asked; null where it is not")
    healthcheck: str = Field(description="what its engine says of it")
    labels: dict[str, str] = Field(description="those that are Fairlead's")
    problems: list[FindingOut]


class ContainerList(Page[ContainerOut]):
    """A page of containers, by id."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_OUT], "next": None, "revision": 12}]})


class EndpointsOut(Output):
    """How one live Envoy stands to the endpoints of one cluster."""

    node: str
    cluster: str
    state: str = Field(description="acked: it has them as published; sent, owed or refused")
    message: str = Field(description="its own words if it refused them")


class ContainerExplainOut(Output):
    """A container from its labels to every Envoy. What it has not come to is null or empty."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "container": _OUT,
                    "instance": None,
                    "lease": None,
                    "share": None,
                    "subsets": [],
                    "endpoints": [{"node": "edge-1", "cluster": "web/v1", "state": "acked", "message": ""}],
                    "nodes": [],
                    "rollout": None,
                    "problems": [],
                }
            ]
        }
    )

    container: ContainerOut
    instance: MemberOut | None = Field(description="it as traffic sees it, with whose word on its health decided")
    lease: LeaseOut | None
    share: float | int | None = Field(
        description="percent of its service's requests that are meant for it, where zones do not decide"
    )
    subsets: list[SubsetReport] = Field(description="those that it is in")
    endpoints: list[EndpointsOut] = Field(description="per live Envoy and cluster of its own")
    nodes: list[NodeGateOut] = Field(description="the weights of its service, per live Envoy that holds a route of it")
    rollout: str | None
    problems: list[StandingProblem]
