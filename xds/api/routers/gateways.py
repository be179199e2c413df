"""Gateways: the ports at the edge and the hosts served there."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from xds.api.body import DocumentRoute
from xds.api.caller import CallerOf, PlaneOf, env_of, etag
from xds.api.convert.gateway import gateway_of, gateway_out
from xds.api.openapi import reads, writes
from xds.api.pages import AnyEnv, Env, PagingOf, check_env, is_in
from xds.api.schemas.gateway import GatewayIn, GatewayList, GatewayOut
from xds.model.declare import Delete, Put
from xds.model.gateway import Gateway
from xds.model.intent import Kind, Ref, ref
from xds.model.names import DEFAULT_ENV, Key
from xds.model.problems import NotFound

router = APIRouter(prefix="/v1", route_class=DocumentRoute, tags=["gateways"])

GatewayName = Annotated[str, Path(max_length=256, description="the gateway's name")]


@router.get("/gateways", summary="List gateways", responses=reads(404))
async def list_gateways(plane: PlaneOf, paging: PagingOf, env: AnyEnv = DEFAULT_ENV) -> GatewayList:
    """Return the gateways of an environment, by name."""
    wanted = check_env(env)
    known = {str(key): gateway for key, gateway in plane.intent.gateways.items() if is_in(key.env, wanted)}
    keys, cursor = paging.cut(known)
    revisions = plane.intent.revisions
    items = [gateway_out(known[key], revision=revisions.get(ref(known[key]), 0)) for key in keys]
    return GatewayList(items=items, next=cursor, revision=plane.intent.revision)


@router.get("/gateways/{name}", summary="Read a gateway", responses=reads())
async def read_gateway(name: GatewayName, plane: PlaneOf, response: Response, env: Env = None) -> GatewayOut:
    """Return a gateway."""
    key = Key(env_of(None, env), name)
    gateway = plane.intent.gateways.get(key)
    if gateway is None:
        raise NotFound(f"gateway {key} does not exist")
    revision = plane.intent.revisions.get(ref(gateway), 0)
    response.headers["etag"] = etag(revision)
    return gateway_out(gateway, revision=revision)


@router.put("/gateways/{name}", summary="Declare a gateway", responses=writes(404))
async def put_gateway(
    name: GatewayName, document: GatewayIn, caller: CallerOf, response: Response, env: Env = None
) -> GatewayOut:
    """Declare a gateway: its listeners and the hosts that it serves."""
    declared = gateway_of(document, env_of(document.env, env), caller.actor, name)
    is_new = declared.key not in caller.plane.intent.gateways
    receipt = await caller.declare(Put(declared), ref(declared))
    if not isinstance(receipt.declared, Gateway):
        raise NotFound(f"gateway {declared.key} was removed meanwhile")
    response.status_code = 201 if is_new and not receipt.replayed else 200
    response.headers["etag"] = etag(receipt.revision)
    return gateway_out(receipt.declared, revision=receipt.revision)


@router.delete("/gateways/{name}", summary="Remove a gateway", status_code=204, responses=writes())
async def delete_gateway(name: GatewayName, caller: CallerOf, env: Env = None) -> Response:
    """Remove a gateway; its Envoys close their listeners."""
    target = Ref(Kind.GATEWAY, str(Key(env_of(None, env), name)))
    await caller.declare(Delete(target), target)
    return Response(status_code=204)
