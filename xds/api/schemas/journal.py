"""The journal as documents: its rows, what stood at a moment, what two moments differ in."""

from __future__ import annotations

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from xds.api.schemas.base import Output, Page
from xds.api.schemas.overlay import OverlayThen

Plain = object
"""Any JSON value."""

_ROW: JsonDict = {
    "id": 4711,
    "revision": 12,
    "at": "2026-01-02T03:04:05.678+00:00",
    "actor": "api:anonymous",
    "reason": "",
    "kind": "instance",
    "object": "web-10-0-0-7-8080",
    "service": "default/web",
    "before": None,
    "after": {"id": "web-10-0-0-7-8080", "weight": 100},
}
_CHANGED: JsonDict = {
    "kind": "service",
    "object": "default/web",
    "before": {"name": "web", "timeout": "15s"},
    "after": {"name": "web", "timeout": "5s"},
}
_RESOURCE: JsonDict = {
    "type": "cds",
    "name": "web/v1",
    "variant": "default",
    "before": None,
    "after": {"name": "web/v1", "type": "EDS"},
}


class RowOut(Output):
    """One line of the journal: what changed, from what to what (null: it was not there), by whom and why.

    `kind` is that of a declared object, or what a note tells: `health`, `lease`, `alarm`, `refused`. `object` is the
    object's key, `service` the service it is about, as `env/name`; "" for none.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_ROW]})

    id: int
    revision: int = Field(description="the revision that this made, or that stood when it was noted")
    at: str
    actor: str
    reason: str
    kind: str
    object: str
    service: str
    before: Plain
    after: Plain


class JournalPage(Page[RowOut]):
    """A part of the journal, oldest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_ROW], "next": "4711", "revision": 12}]})


class MomentOut(Output):
    """What was declared at a moment, as documents that `apply` takes, and what operators had laid over it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "revision": 12,
                    "at": "2026-01-02T03:04:05.678+00:00",
                    "documents": [{"kind": "service", "name": "web"}],
                    "overlays": [],
                    "unreadable": [],
                }
            ]
        }
    )

    revision: int
    at: str = Field(description="when that revision was made; empty for revision 0")
    documents: list[dict[str, object]]
    overlays: list[OverlayThen] = Field(
        description="by id; nobody applies them, `PUT /v1/overlays/{id}` says one again"
    )
    unreadable: list[str] = Field(description="objects whose rows cannot be read")


class ObjectChange(Output):
    """One declared object at both moments, as a document; null where it was not there."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CHANGED]})

    kind: str
    object: str
    before: dict[str, Plain] | None
    after: dict[str, Plain] | None


class ResourceChange(Output):
    """One Envoy resource at both moments, in protobuf's JSON; null where it was not there."""

    model_config = ConfigDict(json_schema_extra={"examples": [_RESOURCE]})

    type: str
    name: str
    variant: str = Field(description="the environment, mostly")
    before: dict[str, Plain] | None
    after: dict[str, Plain] | None


class DifferenceOut(Output):
    """What two moments differ in: as registry, and as resources that Envoys like the present ones would be sent."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "at": {"revision": 11, "at": "2026-01-02T03:04:05.678+00:00"},
                    "to": {"revision": 12, "at": "2026-01-02T03:14:05.678+00:00"},
                    "objects": [_CHANGED],
                    "resources": [_RESOURCE],
                    "left_out": 0,
                }
            ]
        }
    )

    at: dict[str, int | str]
    to: dict[str, int | str]
    objects: list[ObjectChange]
    resources: list[ResourceChange]
    left_out: int = Field(description="how many more differ than `limit` lets through")
