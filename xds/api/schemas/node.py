"""Nodes as documents: one Envoy, what it was sent, what it said."""

from __future__ import annotations

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from xds.api.schemas.base import Output, Page

_TYPE: JsonDict = {
    "wildcard": True,
    "names": [],
    "sent": {"web/v1": "1f0c5b2a9d3e4c77"},
    "acked": {"web/v1": "1f0c5b2a9d3e4c77"},
    "pending_for": None,
    "nack": None,
}
_GROUP: JsonDict = {
    "id": "gateway|default|edge|9a1d0c4477b2e6f0",
    "because": "the routes of gateway edge",
    "upstreams": ["web"],
    "missing": [],
    "variants": ["gateway|default|edge", "default", ""],
}
_OUT: JsonDict = {
    "id": "edge-1",
    "role": "gateway",
    "env": "default",
    "service": "",
    "gateway": "edge",
    "cluster": "edge",
    "version": "1.40.0",
    "peer": "10.0.0.9:41822",
    "state": "live",
    "connected": True,
    "closed_for": None,
    "group": _GROUP,
    "types": {"cds": _TYPE},
}


class NackOut(Output):
    """A refusal that nothing has settled since, in Envoy's own words."""

    message: str
    ago: str = Field(description="how long ago it came")
    versions: dict[str, str] = Field(description="what the refused response carried: name -> version")


class TypeOut(Output):
    """One resource type of one node; versions are content hashes by resource name."""

    wildcard: bool = Field(description="it asks for everything of this type that it may see")
    names: list[str] = Field(description="what it asks for by name")
    sent: dict[str, str]
    acked: dict[str, str]
    pending_for: str | None = Field(description="how long a response has been unanswered; null when none is")
    nack: NackOut | None


class GroupOut(Output):
    """Which resources a node sees, and why."""

    id: str
    because: str = Field(description="who decided what it sees: its metadata, a label, a gateway's routes, nobody")
    upstreams: list[str] | None = Field(description="the services that it sees; null for all of its environment")
    missing: list[str] = Field(description="those among them that do not exist (yet)")
    variants: list[str] = Field(description="where its resources are looked for, first match first")


class NodeOut(Output):
    """One xDS client: an Envoy, or gRPC in a program.

    `live` has an open stream, or lost it less than 60 s ago; `unknown` keeps serving what it had.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_OUT]})

    id: str
    role: str
    env: str
    service: str
    gateway: str
    cluster: str
    version: str
    peer: str
    state: str = Field(description="live or unknown")
    connected: bool
    closed_for: str | None
    group: GroupOut
    types: dict[str, TypeOut] = Field(description="by short name: cds, eds, lds, rds, ecds")


class NodeList(Page[NodeOut]):
    """A page of nodes, by id."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_OUT], "next": None, "revision": 12}]})
