"""What operators ask of the control plane itself: problems, bootstraps, metrics, health."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from xds.api.body import DocumentRoute
from xds.api.caller import PlaneOf, SettingsOf, TelemetryOf
from xds.api.convert.bootstrap import found_at, spec_of
from xds.api.convert.report import problem_out
from xds.api.openapi import reads
from xds.api.pages import PagingOf
from xds.api.schemas.bootstrap import BootstrapQuery
from xds.api.schemas.report import HealthOut, ProblemList, VersionOut
from xds.bootstrap import bootstrap
from xds.model.instance import Address
from xds.model.problems import Unavailable

METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"

router = APIRouter(route_class=DocumentRoute, tags=["control plane"])


@router.get("/v1/problems", summary="List problems that stand", responses=reads(404))
async def list_problems(plane: PlaneOf, paging: PagingOf) -> ProblemList:
    """Return every object that could not be used as it is, and why."""
    found = {f"{at:09}": problem for at, problem in enumerate(plane.problems)}
    keys, cursor = paging.cut(found)
    items = [problem_out(found[key]) for key in keys]
    return ProblemList(items=items, next=cursor, revision=plane.intent.revision)


@router.get(
    "/v1/bootstrap",
    summary="Generate the bootstrap of an Envoy, or of gRPC itself",
    responses={
        **reads(404),
        200: {"content": {"application/json": {"example": {"node": {"id": "gateway-edge-1f0c5b2a"}, "admin": {}}}}},
    },
)
async def read_bootstrap(
    request: Request, settings: SettingsOf, asked: Annotated[BootstrapQuery, Query()]
) -> dict[str, object]:
    """Return the file that an Envoy starts with. It carries the token that the caller has just shown.

    With `role=grpc` it is what a gRPC program finds under GRPC_XDS_BOOTSTRAP. Without `ads` the client is led to where
    ADS listens; where that is every address, to the one this request came to.
    """
    ads = found_at(Address(settings.ads_host, settings.ads_port), request.url.hostname)
    return bootstrap(spec_of(asked, ads, settings.token or ""))


@router.get(
    "/metrics",
    summary="Read the control plane's own metrics",
    response_class=Response,
    responses={
        **reads(404),
        200: {"content": {"text/plain": {"example": "fairlead_snapshot_revision 12.0\n"}}, "description": "metrics"},
    },
)
async def read_metrics(telemetry: TelemetryOf) -> Response:
    """Return everything that is counted here, in Prometheus' text format."""
    return Response(telemetry.exposition(), media_type=METRICS)


@router.get("/v1/version", summary="Read its version", responses=reads(404))
async def read_version() -> VersionOut:
    """Return which Fairlead this control plane is, for whoever wonders whether his is the same."""
    return VersionOut(version=version("fairlead"))


@router.get("/healthz", summary="Is the process up?", responses=reads(401, 404, 422))
async def healthz(plane: PlaneOf) -> HealthOut:
    """Answer as long as the event loop turns; needs no token."""
    return HealthOut(status="ok", revision=plane.intent.revision)


@router.get(
    "/readyz",
    summary="Has everything been loaded and published?",
    responses={**reads(401, 404, 422), 503: reads()[500]},
)
async def readyz(plane: PlaneOf) -> HealthOut:
    """Answer 200 once Envoys can be served, 503 before; needs no token."""
    if not plane.ready():
        raise Unavailable("the store has not been loaded and published yet", code="not_ready")
    return HealthOut(status="ready", revision=plane.intent.revision)
