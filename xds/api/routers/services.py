"""Services: policy and split, and one service explained."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from xds.api.body import DocumentRoute
from xds.api.caller import CallerOf, PlaneOf, TelemetryOf, env_of, etag
from xds.api.convert.breaker import forced_out
from xds.api.convert.report import explain
from xds.api.convert.service import service_key, service_of, service_out
from xds.api.convert.traffic import traffic_out
from xds.api.openapi import reads, writes
from xds.api.pages import AnyEnv, Env, PagingOf, check_env, is_in
from xds.api.scalars import Duration
from xds.api.schemas.report import ExplainOut
from xds.api.schemas.service import ServiceIn, ServiceList, ServiceOut
from xds.api.schemas.traffic import TrafficOut
from xds.control.plane import ControlPlane
from xds.model.declare import Delete, Put
from xds.model.intent import Kind, Ref, ref
from xds.model.names import DEFAULT_ENV, ServiceKey
from xds.model.problems import InvalidInput, NotFound
from xds.model.service import Service

router = APIRouter(prefix="/v1", route_class=DocumentRoute, tags=["services"])

ServiceName = Annotated[str, Path(max_length=256, description="the service's name")]


@router.get("/services", summary="List services", responses=reads(404))
async def list_services(plane: PlaneOf, paging: PagingOf, env: AnyEnv = DEFAULT_ENV) -> ServiceList:
    """Return the services of an environment, by name."""
    wanted = check_env(env)
    known = {str(key): service for key, service in plane.intent.services.items() if is_in(key.env, wanted)}
    keys, cursor = paging.cut(known)
    items = [_out(plane, known[key]) for key in keys]
    return ServiceList(items=items, next=cursor, revision=plane.intent.revision)


@router.get("/services/{name}:explain", summary="Explain a service", responses=reads())
async def explain_service(name: ServiceName, plane: PlaneOf, telemetry: TelemetryOf, env: Env = None) -> ExplainOut:
    """Return instances, subsets, clusters, and the weights that are wanted, published and acknowledged per Envoy."""
    return explain(plane, telemetry.breakers, ServiceKey(env_of(None, env), name))


@router.get("/services/{name}:traffic", summary="Read a service's traffic", responses=reads())
async def read_traffic(  # noqa: PLR0913 - two objects that FastAPI hands in, and four parameters
    name: ServiceName,
    plane: PlaneOf,
    telemetry: TelemetryOf,
    env: Env = None,
    window: Annotated[Duration | None, Query(description="how far back, at most a minute, as in `30s`")] = None,
    nodes: Annotated[bool, Query(description="also what each Envoy measured")] = False,
) -> TrafficOut:
    """Return what Envoys measured lately of each subset: answers and times, attempts by endpoint; null is no data."""
    key = ServiceKey(env_of(None, env), name)
    return traffic_out(plane, telemetry.traffic, key, seconds=window, nodes=nodes)


@router.get("/services/{name}", summary="Read a service", responses=reads())
async def read_service(name: ServiceName, plane: PlaneOf, response: Response, env: Env = None) -> ServiceOut:
    """Return a service with its split."""
    key = ServiceKey(env_of(None, env), name)
    service = plane.intent.services.get(key)
    if service is None:
        raise NotFound(f"service {key} does not exist")
    found = _out(plane, service)
    response.headers["etag"] = etag(found.revision)
    return found


@router.put("/services/{name}", summary="Declare a service", responses=writes(404))
async def put_service(
    name: ServiceName, document: ServiceIn, caller: CallerOf, response: Response, env: Env = None
) -> ServiceOut:
    """Declare a service's policy. Its split and stable version stay where the document says nothing of them."""
    if document.name not in {None, name}:
        raise InvalidInput(f"the path says {name!r}, the document {document.name!r}", pointer="/name")
    key = service_key(document, env_of(document.env, env), name)
    is_new = key not in caller.plane.intent.services
    declared = service_of(document, key, caller.actor)
    receipt = await caller.declare(Put(declared), ref(declared))
    if not isinstance(receipt.declared, Service):
        raise NotFound(f"service {key} was removed meanwhile")
    response.status_code = 201 if is_new and not receipt.replayed else 200
    response.headers["etag"] = etag(receipt.revision)
    return _out(caller.plane, receipt.declared, receipt.revision)


@router.delete("/services/{name}", summary="Remove a service", status_code=204, responses=writes())
async def delete_service(name: ServiceName, caller: CallerOf, env: Env = None) -> Response:
    """Remove a service that has no instance, no route and no rollout in progress."""
    target = Ref(Kind.SERVICE, str(ServiceKey(env_of(None, env), name)))
    await caller.declare(Delete(target), target)
    return Response(status_code=204)


def _out(plane: ControlPlane, service: Service, revision: int | None = None) -> ServiceOut:
    at = plane.intent.revisions.get(ref(service), 0) if revision is None else revision
    members = len(plane.intent.members_of(service.key))
    return service_out(service, revision=at, instances=members, forced=forced_out(plane, service))
