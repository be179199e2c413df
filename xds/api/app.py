"""The application: routers, the guard around them, and one shape for every error."""

from __future__ import annotations

import logging
from importlib.metadata import version

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from xds.api import docs_page, openapi, problem_document
from xds.api.guard import Guard, headers_of
from xds.api.ports import Telemetry
from xds.api.routers import (
    agents,
    apply,
    breakers,
    containers,
    events,
    gateways,
    guard,
    heartbeats,
    hold,
    instances,
    journal,
    labels,
    nodes,
    operations,
    overlays,
    policies,
    rollouts,
    routes,
    services,
)
from xds.api.settings import ApiSettings
from xds.control.plane import ControlPlane
from xds.model.problems import FairleadError

_PARTS = (
    instances,
    heartbeats,
    services,
    routes,
    gateways,
    rollouts,
    policies,
    overlays,
    breakers,
    nodes,
    agents,
    containers,
    guard,
    labels,
    journal,
    events,
    apply,
    hold,
    operations,
)

_log = logging.getLogger("fairlead.api")

_ABOUT = (
    "Instances register, services own the split between their versions, rollouts move users from one version to the "
    "next, and a weight counts as done when every live Envoy has acknowledged it. Weights are percent with at most two "
    "decimals; durations are seconds or text such as `500ms`, `5s`, `2m`. Writes take `If-Match`, `If-None-Match: *` "
    "and `Idempotency-Key`. Errors are problem documents (RFC 9457) with a pointer to the field."
)


def create_app(plane: ControlPlane, settings: ApiSettings, telemetry: Telemetry) -> FastAPI:
    """Return the ASGI application that serves `plane` and shows `telemetry`."""
    app = FastAPI(
        title="Fairlead",
        version=version("fairlead"),
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
        # FastAPI's own would send bodies and paths wherever an environment variable of the process says.
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
    )
    app.state.plane = plane
    app.state.settings = settings
    app.state.telemetry = telemetry
    app.state.stopping = False
    app.state.streams = 0
    for part in _PARTS:
        app.include_router(part.router)
    openapi.install(app, has_token=settings.token is not None)
    app.add_exception_handler(FairleadError, _on_error)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_middleware(Guard, settings=settings, is_ready=plane.ready)
    rendered: list[str] = []

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        """Return the OpenAPI document as a page for people."""
        if not rendered:
            rendered.append(docs_page.render(app.openapi()))
        return HTMLResponse(rendered[0], headers={"content-security-policy": docs_page.POLICY})

    return app


async def _on_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, FairleadError):
        raise error
    request_id: str = request.scope.get("fairlead.request", "")
    if problem_document.status_of(error) >= 500:
        _log.error("request %s: %s", request_id, error.message)
    return problem_document.reply(problem_document.document(error, request_id=request_id), headers_of(error))


async def _on_http(request: Request, error: Exception) -> Response:
    """Answer what the router itself refuses: unknown paths, wrong methods."""
    if not isinstance(error, HTTPException):
        raise error
    path = request.url.path[:256]
    headers = dict(error.headers or {})
    match error.status_code:
        case 404:
            detail, code = f"there is nothing at {path}", "unknown_path"
        case 405:
            allowed = ", ".join(sorted(_methods(path)))
            headers = {"allow": allowed}
            detail, code = f"{request.method} is not possible at {path}; allowed: {allowed}", "method_not_allowed"
        case _:
            detail, code = "", ""
    request_id: str = request.scope.get("fairlead.request", "")
    body = problem_document.of_status(error.status_code, detail, code=code, request_id=request_id)
    return problem_document.reply(body, headers)


def _methods(path: str) -> set[str]:
    """Return every method that some route offers at `path`; the router itself names those of the first one only."""
    return {
        method
        for part in _PARTS
        for route in part.router.routes
        if isinstance(route, APIRoute) and route.path_regex.match(path)
        for method in route.methods or ()
    }
