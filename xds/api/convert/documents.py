"""Documents of any kind that can be applied, as the objects they declare."""

from __future__ import annotations

from typing import Final

from pydantic import TypeAdapter, ValidationError

from xds.api.caller import env_of
from xds.api.convert.gateway import gateway_of
from xds.api.convert.instance import instance_of
from xds.api.convert.policy import policy_of
from xds.api.convert.route import route_of
from xds.api.convert.service import service_key, service_of
from xds.api.schemas.apply import (
    GatewayDocument,
    InstanceDocument,
    PolicyDocument,
    RouteDocument,
    ServiceDocument,
)
from xds.api.validation import explain
from xds.model.intent import Declared, Kind
from xds.model.problems import FairleadError, InvalidInput

_MODELS: Final = {
    Kind.SERVICE: ServiceDocument,
    Kind.POLICY: PolicyDocument,
    Kind.INSTANCE: InstanceDocument,
    Kind.ROUTE: RouteDocument,
    Kind.GATEWAY: GatewayDocument,
}
_SCHEMAS: Final = {kind: TypeAdapter[object](model) for kind, model in _MODELS.items()}


def read_document(item: object, owner: str) -> Declared | FairleadError:
    """Return what one document declares for `owner`, or what is wrong with it."""
    kind = item.get("kind") if isinstance(item, dict) else None
    try:
        known = Kind(str(kind))
        schema = _SCHEMAS[known]
    except (ValueError, KeyError):
        words = ", ".join(kind.value for kind in _SCHEMAS)
        given = f", not {kind!r}" if isinstance(kind, str) and len(kind) <= 64 else ""
        return InvalidInput(f"kind is one of {words}{given}", pointer="/kind", code="unknown_kind")
    try:
        return _declare(schema.validate_python(item), owner)
    except ValidationError as error:
        return explain(error.errors(), _MODELS[known])
    except FairleadError as error:
        return error


def _declare(document: object, owner: str) -> Declared:
    match document:
        case ServiceDocument():
            return service_of(document, service_key(document, env_of(document.env, None)), owner)
        case PolicyDocument():
            return policy_of(document, env_of(document.env, None), owner)
        case InstanceDocument():
            return instance_of(document, owner)
        case RouteDocument():
            return route_of(document, env_of(document.env, None), owner)
        case GatewayDocument():
            return gateway_of(document, env_of(document.env, None), owner)
    raise InvalidInput("not a document that can be applied", pointer="/kind")
