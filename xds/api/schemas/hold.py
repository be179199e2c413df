"""Hold and alarms as documents: why nothing is accepted, an operator's decision, and what is wrong now."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from xds.api.scalars import Line
from xds.api.schemas.base import Input, Output, Page

_SIDE: JsonDict = {"revision": 4711, "objects": 120}
_HOLD: JsonDict = {
    "held": True,
    "reason": "the store is missing or empty, and held 120 objects at revision 4711",
    "aside": "",
    "served": _SIDE,
    "stored": {"revision": 0, "objects": 0},
    "differences": {"instance": 100, "service": 20},
}
_ALARM: JsonDict = {
    "kind": "shrink",
    "object": "default/web",
    "priority": "page",
    "message": "5 of 6 endpoints of web/v1 went by absence within a minute",
    "since": "2026-01-02T03:04:05.678+00:00",
}


class SideOut(Output):
    """One side of a hold: how far it has come, and how much it holds."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SIDE]})

    revision: int
    objects: int


class HoldOut(Output):
    """Whether the store is believed; if not, what is served instead, what the store holds, and what differs."""

    model_config = ConfigDict(json_schema_extra={"examples": [_HOLD]})

    held: bool
    reason: str
    aside: str = Field(description="the folder that a damaged file was moved to; empty when it lies where it was")
    served: SideOut | None = Field(description="the last known good state")
    stored: SideOut | None
    differences: dict[str, int] = Field(description="objects of each kind that differ between the two")


class DecisionIn(Input):
    """Go on with what is `served` (the last known good state), or with what is `stored`; `reason` is journalled."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"keep": "served", "reason": "the disk was replaced"}]})

    keep: Literal["served", "stored"]
    reason: Line = ""


class DecisionOut(Output):
    """The revision that the decision made."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"revision": 4712}]})

    revision: int


class AlarmOut(Output):
    """One thing that is wrong now, and how soon somebody has to look: `page`, `ticket`, `note`."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ALARM]})

    kind: str
    object: str
    priority: str
    message: str
    since: str


class AlarmList(Page[AlarmOut]):
    """What is wrong now, the most urgent first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_ALARM], "next": None, "revision": 12}]})
