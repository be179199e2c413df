"""Plans, outward: objects compared field by field in the words of their documents, resources in a few words each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment, LbEndpoint

from xds.api.convert.gateway import gateway_out
from xds.api.convert.instance import instance_out
from xds.api.convert.policy import policy_out
from xds.api.convert.route import route_out
from xds.api.convert.service import service_out
from xds.api.scalars import write_percent
from xds.api.schemas.plan import FieldChange, PlannedResource
from xds.control.planning import ResourceChange
from xds.model.gateway import Gateway
from xds.model.health import Health
from xds.model.instance import Instance
from xds.model.intent import Declared
from xds.model.labels import escape
from xds.model.policy import ServicePolicy
from xds.model.route import Route
from xds.model.service import Service
from xds.translate.outputs import Output
from xds.wire.codec import decode
from xds.wire.types import ResourceType

_OBSERVED = frozenset(
    {"revision", "owner", "instances", "forced", "segments", "health", "lease", "services", "drift", "verdict"}
)
"""Fields of documents that are told of an object and not declared by it."""
_COUNTED = frozenset({"epoch", "seq"})
"""Fields that a registration counts up by itself."""


def fields_of(before: Declared | None, after: Declared | None) -> list[FieldChange]:
    """Return what differs between two declarations of one object, tables such as labels entry by entry."""
    if before is None or after is None:
        return []
    return list(_differences(_said(before), _said(after), ""))


def resource_out(change: ResourceChange) -> PlannedResource:
    """Return one resource's change as a document."""
    output, before, after = change.output, change.before, change.after
    word = "added" if before is None else "removed" if after is None else "changed"
    detail = [*_weights(before, after)]
    if output.type is ResourceType.ENDPOINT:
        detail += _endpoints(before, after)
    return PlannedResource(type=output.type.short, name=output.name, variant=output.variant, change=word, detail=detail)


def _said(declared: Declared) -> Mapping[str, object]:
    """Return what an object's document declares."""
    match declared:
        case Service():
            shown = service_out(declared, revision=0, instances=0).model_dump()
        case Instance():
            shown = instance_out(declared, revision=0, health=Health.HEALTHY, lease=None).model_dump()
        case Route():
            shown = route_out(declared, revision=0).model_dump()
        case Gateway():
            shown = gateway_out(declared, revision=0).model_dump()
        case ServicePolicy():
            shown = policy_out(declared, revision=0, services=[]).model_dump()
        case _:
            shown = {}
    return {name: value for name, value in shown.items() if name not in _OBSERVED | _COUNTED}


def _differences(before: Mapping[str, object], after: Mapping[str, object], at: str) -> Iterator[FieldChange]:
    for name in sorted(before.keys() | after.keys()):
        old, new, place = before.get(name), after.get(name), f"{at}/{escape(name)}"
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new, place)
        else:
            yield FieldChange(field=place, before=old, after=new)


def _weights(before: Output | None, after: Output | None) -> Iterator[str]:
    """Yield `web: v1 95 % · v2 5 % -> v1 90 % · v2 10 %` for every split that moves."""
    old, new = (before.weights if before else {}), (after.weights if after else {})
    for service in sorted(old.keys() | new.keys()):
        if old.get(service) != new.get(service):
            yield f"{service.name}: {_shares(old.get(service))} -> {_shares(new.get(service))}"


def _shares(weights: Mapping[str, int] | None) -> str:
    return " · ".join(f"{name} {write_percent(weight)} %" for name, weight in (weights or {}).items()) or "nothing"


def _endpoints(before: Output | None, after: Output | None) -> list[str]:
    """Return `+ 10.0.0.7:8080` and `- ...` for endpoints that come and go, `~ ...` for those that differ."""
    old, new = _addresses(before), _addresses(after)
    signs = {True: {True: "~", False: "-"}, False: {True: "+"}}
    return [
        f"{signs[at in old][at in new]} {at}" for at in sorted(old.keys() | new.keys()) if old.get(at) != new.get(at)
    ]


def _addresses(output: Output | None) -> dict[str, LbEndpoint]:
    if output is None:
        return {}
    found: dict[str, LbEndpoint] = {}
    for locality in decode(ClusterLoadAssignment, output.value).endpoints:
        for each in locality.lb_endpoints:
            address = each.endpoint.address.socket_address if each.endpoint and each.endpoint.address else None
            if address is not None:
                host = f"[{address.address}]" if ":" in address.address else address.address
                found[f"{host}:{address.port_value}"] = each
    return found
