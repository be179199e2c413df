"""Overlays as documents: what an operator lays over declarations for a time, and why."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from xds.api.scalars import Duration, Line, Name
from xds.api.schemas.base import Input, Output, Page

_IN: JsonDict = {"act": "drain", "service": "web", "version": "v2", "reason": "disk full", "expires_in": "30m"}
_THEN: JsonDict = {
    "id": "drain-web-v2",
    "env": "default",
    "act": "drain",
    "selector": "service=web,version=v2",
    "service": "",
    "version": "",
    "weight": None,
    "reason": "disk full",
    "owner": "api:token",
    "until": "2026-01-31T12:30:00Z",
}
_OUT: JsonDict = {**_THEN, "expires_in": "29m58s", "instances": 2, "revision": 12}


class OverlayIn(Input):
    """An act: `drain` and `weight` on the instances that are picked, `pin` on a service.

    Instances are picked by `instance`, `service`, `version` and `selector` together; `pin` takes `service` and
    `version`, and sends all of the service's users there.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_IN]})

    act: Literal["drain", "weight", "pin"]
    env: Name | None = None
    instance: Name | None = Field(None, description="one instance, by id")
    service: Name | None = None
    version: Name | None = None
    selector: Annotated[str, Field(max_length=1024)] = ""
    weight: int | None = Field(None, ge=0, le=10_000, description="only for `weight`: relative, as an instance's own")
    reason: Line = Field("", description="why; it is shown, and goes into the journal")
    expires_in: Duration | None = Field(
        None, description="how long, from a second to 30 days; without: until taken back"
    )


class OverlayThen(Output):
    """An overlay as it was said."""

    model_config = ConfigDict(json_schema_extra={"examples": [_THEN]})

    id: str
    env: str
    act: str
    selector: str = Field(description="the instances it picks; empty for a pin")
    service: str = Field(description="the service it pins; empty for any other act")
    version: str = Field(description="where it sends the users of that service")
    weight: int | None
    reason: str
    owner: str
    until: str | None = Field(description="when it ends, by the clock of the wall; null: when it is taken back")


class OverlayOut(OverlayThen):
    """An overlay that stands."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OUT]})

    expires_in: str | None = Field(description="null: until it is taken back")
    instances: int = Field(description="how many it picks now; of a pin, how many are of that version")
    revision: int


class OverlayList(Page[OverlayOut]):
    """A page of overlays, by id."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_OUT], "next": None, "revision": 12}]})
