"""Files of Istio together: one service per host, with what both kinds of rules say of it, and its routes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from xds.istio import destination_rule, virtual_service
from xds.istio.fields import Fields, Json, Left
from xds.istio.matches import Document

API: Final = "networking.istio.io/"


@dataclass(frozen=True, slots=True)
class Imported:
    """Documents as `apply` takes them, services first, and what did not map."""

    documents: tuple[Document, ...]
    left: tuple[Left, ...]


def import_istio(documents: Sequence[Json]) -> Imported:
    """Return what documents of Istio come to; others are reported as a whole."""
    left: list[Left] = []
    services: dict[str, Document] = {}
    routes: list[Document] = []
    for at, value in enumerate(documents):
        fields = Fields(value, at, "", left)
        kind = fields.text("kind")
        if not fields.text("apiVersion").startswith(API) or kind not in {"VirtualService", "DestinationRule"}:
            fields.leave("", f"{kind or 'a document without a kind'} is neither a VirtualService nor a DestinationRule")
            continue
        fields.raw("status")
        if kind == "DestinationRule":
            if (made := destination_rule.read(fields)) is not None:
                _join(services, str(made["name"]), made)
        else:
            found = virtual_service.read(fields)
            routes += found.routes
            for name, said in found.services.items():
                _join(services, name, said)
        fields.leave_rest()
    return Imported((*services.values(), *_named(routes)), tuple(left))


def _join(services: dict[str, Document], name: str, said: Document) -> None:
    """Add what is said of a service; what was said first holds."""
    known = services.setdefault(name, {"kind": "service", "name": name})
    for field, value in said.items():
        known.setdefault(field, value)


def _named(routes: Sequence[Document]) -> list[Document]:
    """Return routes with names that are their own within their service."""
    seen: set[tuple[object, str]] = set()
    named = []
    for route in routes:
        name, number = str(route["name"]), 1
        while (route["service"], name) in seen:
            number += 1
            name = f"{route['name']}-{number}"
        seen.add((route["service"], name))
        named.append({**route, "name": name})
    return named
