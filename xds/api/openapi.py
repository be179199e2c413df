"""What the OpenAPI page says beside the schemas: errors of each route, the security scheme, words per kind."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from xds.api.problem_document import MEDIA_TYPE
from xds.api.schemas.base import ProblemOut

Responses = dict[int | str, dict[str, Any]]  # Any: FastAPI's own type for this table

_READ: Final = (401, 403, 404, 422, 500)
_WRITE: Final = (400, 401, 403, 404, 408, 409, 412, 413, 415, 422, 429, 500, 503)

TAGS: Final = [
    {"name": "instances", "description": "The processes that serve: register, select, renew, deregister."},
    {"name": "services", "description": "Policy, subsets and the split between versions."},
    {"name": "routes", "description": "Which requests go where."},
    {"name": "gateways", "description": "The ports at the edge."},
    {"name": "rollouts", "description": "Canaries: start, watch, steer, promote, abort."},
    {"name": "policies", "description": "How the services that a selector picks are treated."},
    {"name": "overlays", "description": "What operators lay over declarations for a time: drains, weights, pins."},
    {"name": "breakers", "description": "Circuit breakers: what Envoys tell of them, and what operators force."},
    {"name": "nodes", "description": "The Envoys, and what each has acknowledged."},
    {"name": "agents", "description": "The programs on hosts that tell what runs there."},
    {"name": "containers", "description": "What agents see on their hosts, registered or not, and why."},
    {"name": "guard", "description": "What went by absence alone and is held, and letting it go."},
    {"name": "labels", "description": "What labels come to: documents, proposals, mistakes."},
    {"name": "journal", "description": "Who changed what, when and why; what stood at a moment; every revision, live."},
    {"name": "control plane", "description": "Alarms, problems, bootstraps, metrics, health."},
    {"name": "batch", "description": "Requests that hold many objects, each judged by itself."},
]


def reads(*without: int) -> Responses:
    """Return the error responses of a route that only reads."""
    return _problems(status for status in _READ if status not in without)


def writes(*without: int) -> Responses:
    """Return the error responses of a route that changes something."""
    return _problems(status for status in _WRITE if status not in without)


def _problems(statuses: Iterable[int]) -> Responses:
    schema = {"$ref": "#/components/schemas/ProblemOut"}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }


def install(app: FastAPI, *, has_token: bool) -> None:
    """Let `app.openapi()` return the document with our parts in it; it is built once, at first use."""

    def build() -> dict[str, Any]:  # Any: an OpenAPI document
        if app.openapi_schema is None:
            found = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes, tags=TAGS
            )
            components = found.setdefault("components", {})
            components.setdefault("schemas", {}).setdefault("ProblemOut", ProblemOut.model_json_schema())
            if has_token:
                components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
                found["security"] = [{"token": []}]
            app.openapi_schema = found
        return app.openapi_schema

    app.openapi = build  # type: ignore[method-assign]  # FastAPI documents this as the way to extend the page
