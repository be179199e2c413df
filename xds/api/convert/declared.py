"""A declared object as the document that declares it: what `apply`, and every PUT, takes."""

from __future__ import annotations

from typing import Final

from pydantic import JsonValue

from xds.api.convert.instance import instance_out
from xds.api.convert.route import route_out
from xds.api.convert.service import service_out
from xds.api.schemas.base import Input, Output
from xds.api.schemas.instance import InstanceIn
from xds.api.schemas.route import RouteIn
from xds.api.schemas.service import ServiceIn
from xds.model.health import Health
from xds.model.instance import Instance
from xds.model.route import Route
from xds.model.service import Service

_UNSAID: Final[tuple[JsonValue, ...]] = (None, "", [], {})
"""Values by which a document says nothing of a field, or what it would be without a word."""
_SAID: Final = frozenset({"allow_from", "limits"})
"""Fields of which an empty value says something."""


def document_of(declared: Instance | Service | Route) -> dict[str, JsonValue]:
    """Return the document of an object: fields that are as they would be without a word are left out."""
    out: Output
    schema: type[Input]
    match declared:
        case Instance():
            out, schema, kind = (
                instance_out(declared, revision=0, health=Health.HEALTHY, lease=None),
                InstanceIn,
                "instance",
            )
        case Service():
            out, schema, kind = service_out(declared, revision=0, instances=0), ServiceIn, "service"
        case Route():
            out, schema, kind = route_out(declared, revision=0), RouteIn, "route"
    fields = {name: value for name, value in out.model_dump(mode="json").items() if name in schema.model_fields}
    if kind == "instance":
        fields.pop("port")
    return {"kind": kind, **{name: value for name, value in fields.items() if _says(name, value)}}


def _says(name: str, value: JsonValue) -> bool:
    return value not in _UNSAID or (name in _SAID and value is not None)
