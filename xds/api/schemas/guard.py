"""The shrink guard as documents: instances that went by absence alone and are served on, and letting them go."""

from __future__ import annotations

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from xds.api.scalars import Line, Name
from xds.api.schemas.base import Input, Output, Page

_HELD: JsonDict = {
    "id": "web-10-0-0-7-8080",
    "env": "default",
    "service": "web",
    "version": "v1",
    "address": "10.0.0.7:8080",
    "health": "healthy",
}


class HeldOut(Output):
    """An instance that nothing but its silence removed: the registry forgot it, and Envoys still have it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_HELD]})

    id: str
    env: str
    service: str
    version: str
    address: str
    health: str


class HeldList(Page[HeldOut]):
    """What the shrink guard holds."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_HELD], "next": None, "revision": 12}]})


class ReleaseIn(Input):
    """Let held instances go: those of one service, or of the whole environment. `reason` goes into the journal."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"service": "web", "reason": "the rack is gone"}]})

    service: Name | None = None
    env: Name | None = None
    reason: Line = ""


class ReleaseOut(Output):
    """The instances that were let go."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"released": ["web-10-0-0-7-8080"], "revision": 13}]})

    released: list[str] = Field(description="ids, in order")
    revision: int
