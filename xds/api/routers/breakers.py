"""Breakers: what operators hold open or closed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from xds.api.body import DocumentRoute
from xds.api.caller import CallerOf, env_of, etag
from xds.api.convert.breaker import forced_of, forced_out
from xds.api.openapi import writes
from xds.api.pages import Env
from xds.api.schemas.breaker import ForcedOut, ForceIn
from xds.model.declare import ForceBreaker
from xds.model.intent import Kind, Ref
from xds.model.names import ServiceKey
from xds.model.problems import NotFound
from xds.model.service import Service

router = APIRouter(prefix="/v1", route_class=DocumentRoute, tags=["breakers"])

ServiceName = Annotated[str, Path(max_length=256, description="the service's name")]
Subset = Annotated[str, Path(max_length=128, description="one of its versions or declared subsets")]


@router.put("/services/{name}/breakers/{subset}", summary="Force a breaker", responses=writes())
async def force_breaker(  # noqa: PLR0913 - path, query, body and what FastAPI hands in
    name: ServiceName, subset: Subset, document: ForceIn, caller: CallerOf, response: Response, env: Env = None
) -> ForcedOut:
    """Hold the breaker of one version open or closed, in every Envoy, until taken back or for a time.

    A service without a breaker gets one that opens for nothing else. If-Match is the revision of the service.
    """
    key, plane = ServiceKey(env_of(None, env), name), caller.plane
    change = ForceBreaker(key, subset, forced_of(document, caller.actor))
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
