"""Declared objects as the documents that `apply` takes: what an object says of itself, without what is known of it."""

from __future__ import annotations

from xds.api.convert.gateway import gateway_out
from xds.api.convert.instance import instance_out
from xds.api.convert.policy import policy_out
from xds.api.convert.route import route_out
from xds.api.convert.service import service_out
from xds.api.schemas.apply import (
    GatewayDocument,
    InstanceDocument,
    PolicyDocument,
    RouteDocument,
    ServiceDocument,
)
from xds.api.schemas.base import Output
from xds.model.gateway import Gateway
from xds.model.health import Health
from xds.model.instance import Instance
from xds.model.intent import Declared
from xds.model.policy import ServicePolicy
from xds.model.route import Route
from xds.model.service import Service


def document_of(declared: Declared) -> dict[str, object] | None:
    """Return the document of a declared object, None for what nobody applies (a rollout, an overlay)."""
    match declared:
        case Service():
            return _document(
                "service", service_out(declared, revision=0, instances=0), set(ServiceDocument.model_fields)
            )
        case ServicePolicy():
            return _document("policy", policy_out(declared, revision=0, services=[]), set(PolicyDocument.model_fields))
        case Instance():
            out = instance_out(declared, revision=0, health=Health.HEALTHY, lease=None)
            return _document("instance", out, set(InstanceDocument.model_fields) - {"port"})
        case Route():
            return _document("route", route_out(declared, revision=0), set(RouteDocument.model_fields))
        case Gateway():
            return _document("gateway", gateway_out(declared, revision=0), set(GatewayDocument.model_fields))
        case _:
            return None


def _document(kind: str, out: Output, fields: set[str]) -> dict[str, object]:
    """Return the fields that a document may have; what is not set is left out, and means the default.

    An empty list of callers is not the default: it is nobody.
    """
    said = out.model_dump(mode="json", include=fields, exclude_none=True)
    return {"kind": kind} | {
        name: value for name, value in said.items() if value not in ("", [], {}) or name == "allow_from"
    }
