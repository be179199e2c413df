"""Nodes as documents: one Envoy, what it was sent, what it said."""

from __future__ import annotations

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from xds.api.schemas.base import Output, Page
from xds.api.schemas.breaker import ClusterBreaker

_TALLY: JsonDict = {"pushes": 4, "bytes": 2210, "nacks": 0, "answered_in": "3.2ms"}
_TYPE: JsonDict = {
    "wildcard": True,
    "names": [],
    "sent": {"web/v1": "1f0c5b2a9d3e4c77"},
    "acked": {"web/v1": "1f0c5b2a9d3e4c77"},
    "pending_for": None,
    "nack": None,
    "owed": [],
    "parked": [],
    "held_back": [],
    "tally": _TALLY,
}
_COUNTS: JsonDict = {
    "wildcard": True,
    "names": 0,
    "sent": 1,
    "acked": 1,
    "pending_for": None,
    "nack": None,
    "owed": 0,
    "parked": 0,
    "held_back": 0,
    "tally": _TALLY,
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
_LISTED: JsonDict = {**_OUT, "types": {"cds": _COUNTS}}
_OUT["breakers"] = [{"cluster": "web/v2", "state": "open", "opens": 1, "probes": 0, "remapped": 52, "rejected": 0}]

_OWED = "published for it, asked for, and not sent in its present content"
_PARKED = "refused, and not sent again until it changes"
_HELD_BACK = "kept as the node has it, because it refers to a cluster that the node refused or lacks"


class NackOut(Output):
    """A refusal that nothing has settled since, in Envoy's own words."""

    message: str
    ago: str = Field(description="how long ago it came")
    versions: dict[str, str] = Field(description="what the refused response carried: name -> version")


class TallyOut(Output):
    """What one type of one node came to since its stream opened."""

    pushes: int = Field(description="responses sent")
    bytes: int = Field(description="their size")
    nacks: int = Field(description="how many of them it refused")
    answered_in: str | None = Field(description="how long the last answer took; null before the first")


class TypeOut(Output):
    """One resource type of one node; versions are content hashes by resource name."""

    wildcard: bool = Field(description="it asks for everything of this type that it may see")
    names: list[str] = Field(description="what it asks for by name")
    sent: dict[str, str]
    acked: dict[str, str]
    pending_for: str | None = Field(description="how long a response has been unanswered; null when none is")
    nack: NackOut | None
    owed: list[str] = Field(description=_OWED)
    parked: list[str] = Field(description=_PARKED)
    held_back: list[str] = Field(description=_HELD_BACK)
    tally: TallyOut


class GroupOut(Output):
    """Which resources a node sees, and why."""

    id: str
    because: str = Field(description="who decided what it sees: its metadata, a label, a gateway's routes, nobody")
    upstreams: list[str] | None = Field(description="the services that it sees; null for all of its environment")
    missing: list[str] = Field(description="those among them that do not exist (yet)")
    variants: list[str] = Field(description="where its resources are looked for, first match first")


class TypeCounts(Output):
    """One resource type of one node in a list: how many names where one node has the names."""

    wildcard: bool = Field(description="it asks for everything of this type that it may see")
    names: int = Field(description="asked for by name")
    sent: int
    acked: int = Field(description="how many of the contents sent it has acknowledged")
    pending_for: str | None = Field(description="how long a response has been unanswered; null when none is")
    nack: NackOut | None
    owed: int = Field(description=_OWED)
    parked: int = Field(description=_PARKED)
    held_back: int = Field(description=_HELD_BACK)
    tally: TallyOut


class NodeFacts(Output):
    """One xDS client: an Envoy, or gRPC in a program.

    `live` has an open stream, or lost it less than 60 s ago; `unknown` keeps serving what it had.
    """

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


class NodeOut(NodeFacts):
    """One node, and by name what it asked for, was sent, and said to it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OUT]})

    types: dict[str, TypeOut] = Field(description="by short name: cds, eds, lds, rds, ecds")
    breakers: list[ClusterBreaker] = Field(description="how its breakers stand, as it told within the last minute")


class NodeListed(NodeFacts):
    """One Envoy in a list: the same in numbers."""

    model_config = ConfigDict(json_schema_extra={"examples": [_LISTED]})

    types: dict[str, TypeCounts] = Field(description="by short name: cds, eds, lds, rds, ecds")


class NodeList(Page[NodeListed]):
    """A page of nodes, by id."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_LISTED], "next": None, "revision": 12}]})
