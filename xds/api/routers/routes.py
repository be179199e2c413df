"""Routes: which requests go where."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from xds.api.body import DocumentRoute
from xds.api.caller import CallerOf, PlaneOf, env_of, etag
from xds.api.convert.route import route_of, route_out
from xds.api.openapi import reads, writes
from xds.api.pages import AnyEnv, Env, PagingOf, check_env, is_in
from xds.api.schemas.route import RouteIn, RouteList, RouteOut
from xds.model.declare import Delete, Put
from xds.model.intent import Kind, Ref, ref
from xds.model.names import DEFAULT_ENV, Key
from xds.model.problems import NotFound
from xds.model.route import Route

router = APIRouter(prefix="/v1", route_class=DocumentRoute, tags=["routes"])

RouteName = Annotated[str, Path(max_length=256, description="`<service>.<name>`")]


@router.get("/routes", summary="List routes", responses=reads(404))
async def list_routes(
    plane: PlaneOf,
    paging: PagingOf,
    env: AnyEnv = DEFAULT_ENV,
    service: Annotated[str | None, Query(max_length=128, description="only of this service")] = None,
) -> RouteList:
    """Return the routes of an environment, by name."""
    wanted = check_env(env)
    known = {
        str(key): route
        for key, route in plane.intent.routes.items()
        if is_in(key.env, wanted) and service in {None, route.service.name}
    }
    keys, cursor = paging.cut(known)
    revisions = plane.intent.revisions
    items = [route_out(known[key], revision=revisions.get(ref(known[key]), 0)) for key in keys]
    return RouteList(items=items, next=cursor, revision=plane.intent.revision)


@router.get("/routes/{name}", summary="Read a route", responses=reads())
async def read_route(name: RouteName, plane: PlaneOf, response: Response, env: Env = None) -> RouteOut:
    """Return a route."""
    key = Key(env_of(None, env), name)
    route = plane.intent.routes.get(key)
    if route is None:
        raise NotFound(f"route {key} does not exist")
    revision = plane.intent.revisions.get(ref(route), 0)
    response.headers["etag"] = etag(revision)
    return route_out(route, revision=revision)


@router.put("/routes/{name}", summary="Declare a route", responses=writes(404))
async def put_route(
    name: RouteName, document: RouteIn, caller: CallerOf, response: Response, env: Env = None
) -> RouteOut:
    """Declare a route of a service that exists; one that Envoy would refuse is refused here."""
    declared = route_of(document, env_of(document.env, env), caller.actor, name)
    is_new = declared.key not in caller.plane.intent.routes
    receipt = await caller.declare(Put(declared), ref(declared))
    if not isinstance(receipt.declared, Route):
        raise NotFound(f"route {declared.key} was removed meanwhile")
    response.status_code = 201 if is_new and not receipt.replayed else 200
    response.headers["etag"] = etag(receipt.revision)
    return route_out(receipt.declared, revision=receipt.revision)


@router.delete("/routes/{name}", summary="Remove a route", status_code=204, responses=writes())
async def delete_route(name: RouteName, caller: CallerOf, env: Env = None) -> Response:
    """Remove a route."""
    target = Ref(Kind.ROUTE, str(Key(env_of(None, env), name)))
    await caller.declare(Delete(target), target)
    return Response(status_code=204)
