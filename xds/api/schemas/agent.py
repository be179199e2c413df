"""Agents as documents: what they say of themselves, and how they stand."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from xds.api.scalars import Duration, Line, Moment, Name
from xds.api.schemas.base import Input, Output, Page

_IN: JsonDict = {"ip": "10.0.0.7", "role": "docker", "version": "0.1.0"}
_OUT: JsonDict = {
    "id": "host-7",
    **_IN,
    "epoch": 3,
    "seq": 17,
    "ttl": "10s",
    "state": "alive",
    "last_seen": "2026-03-01T12:00:00.000+00:00",
    "silent": "2s",
    "lag": "0s",
    "clock_off": 0.012,
}

Count = Annotated[int, Field(ge=0)]
At = Annotated[Moment, Field(description="what its own clock says; shown to people, decides nothing")]


class AgentIn(Input):
    """An agent as it registers. Without an `epoch` it is a new incarnation, and the answer tells the epoch."""

    model_config = ConfigDict(json_schema_extra={"examples": [_IN]})

    id: Name | None = None
    ip: Annotated[str, Field(max_length=64, description="an IPv4 or IPv6 address")]
    role: Name = "agent"
    version: Line = ""
    epoch: Count | None = None
    seq: Count | None = None
    ttl: Duration = 10.0
    ts: At | None = None


class AgentBeatIn(Input):
    """An agent's heartbeat: its incarnation, the number of this message, and its clock."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"epoch": 3, "seq": 18, "ts": "2026-03-01T12:00:05Z"}]})

    id: Name | None = None
    epoch: Count | None = None
    seq: Count | None = None
    ts: At | None = None


class AgentOut(Output):
    """An agent and how it stands. `lag` is for how long its next word is overdue, on our clock."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OUT]})

    id: str
    ip: str
    role: str
    version: str
    epoch: int
    seq: int
    ttl: str
    state: str = Field(description="alive, or lost once its lease ran out")
    last_seen: str
    silent: str
    lag: str
    clock_off: float | None = Field(description="seconds its clock seemed ahead of ours; for people")


class AgentList(Page[AgentOut]):
    """A page of agents, by id."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_OUT], "next": None, "revision": 12}]})
