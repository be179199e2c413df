"""Breakers: how they stand in each Envoy, and what operators hold open or closed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from xds.api.body import DocumentRoute
from xds.api.caller import CallerOf, PlaneOf, TelemetryOf, env_of, etag
from xds.api.convert.breaker import AllReported, breakers_of, forced_of, forced_out
from xds.api.openapi import reads, writes
from xds.api.pages import AnyEnv, Env, PagingOf, check_env, is_in
from xds.api.schemas.breaker import BreakerList, BreakerOut, ForcedOut, ForceIn
from xds.model.declare import ForceBreaker
from xds.model.intent import Kind, Ref
from xds.model.names import DEFAULT_ENV, ServiceKey
from xds.model.problems import NotFound
from xds.model.service import Service

router = APIRouter(prefix="/v1", route_class=DocumentRoute, tags=["breakers"])

ServiceName = Annotated[str, Path(max_length=256, description="the service's name")]
Subset = Annotated[str, Path(max_length=128, description="one of its versions or declared subsets")]


@router.get("/breakers", summary="List breakers", responses=reads(404))
async def list_breakers(
    plane: PlaneOf,
    telemetry: TelemetryOf,
    paging: PagingOf,
    env: AnyEnv = DEFAULT_ENV,
    service: Annotated[str | None, Query(max_length=128, description="only of this service")] = None,
) -> BreakerList:
    """Return the breakers of an environment: what their rules are, who is held, and how they stand in each Envoy."""
    wanted, reported, known = check_env(env), dict[str, AllReported](), dict[str, BreakerOut]()
    for key in plane.intent.services:
        if is_in(key.env, wanted) and service in {None, key.name}:
            if key.env not in reported:
                reported[key.env] = telemetry.breakers.reported(key.env)
            found = breakers_of(plane, key, reported[key.env])
            known |= {f"{key.env}/{cluster}": each for cluster, each in found.items()}
    names, cursor = paging.cut(known)
    return BreakerList(items=[known[name] for name in names], next=cursor, revision=plane.intent.revision)


@router.put("/services/{name}/breakers/{subset}", summary="Force a breaker", responses=writes())
async def force_breaker(  # noqa: PLR0913 - path, query, body and what FastAPI hands in
    name: ServiceName, subset: Subset, document: ForceIn, caller: CallerOf, response: Response, env: Env = None
) -> ForcedOut:
    """Hold the breaker of one version open or closed, in every Envoy, until taken back or for a time.

    A service without a breaker gets one that opens for nothing else. If-Match is the revision of the service.
    """
    key, plane = ServiceKey(env_of(None, env), name), caller.plane
    change = ForceBreaker(key, subset, forced_of(document, caller.actor, plane.clock.wall()))
    declaration = caller.declaration(change, Ref(Kind.SERVICE, str(key)), reason=document.reason)
    receipt = await plane.declare(declaration)
    forced = forced_out(plane, receipt.declared) if isinstance(receipt.declared, Service) else {}
    if subset not in forced:
        raise NotFound(f"the breaker of {subset} of {key} was given back meanwhile")
    response.headers["etag"] = etag(receipt.revision)
    return forced[subset]


@router.delete("/services/{name}/breakers/{subset}", summary="Give a breaker back", status_code=204, responses=writes())
async def release_breaker(name: ServiceName, subset: Subset, caller: CallerOf, env: Env = None) -> Response:
    """Let the rule decide again."""
    key = ServiceKey(env_of(None, env), name)
    await caller.declare(ForceBreaker(key, subset), Ref(Kind.SERVICE, str(key)))
    return Response(status_code=204)
