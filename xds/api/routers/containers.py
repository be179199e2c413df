"""Containers: what agents see on their hosts, registered or not, and one of them explained."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from xds.api.body import BATCH, DocumentRoute, check_items
from xds.api.caller import PlaneOf, SettingsOf
from xds.api.convert.container import container_out, explain_container, sighting_of
from xds.api.openapi import reads, writes
from xds.api.pages import PagingOf
from xds.api.routers.agents import AgentId
from xds.api.schemas.container import (
    ContainerExplainOut,
    ContainerList,
    ContainerOut,
    ContainersIn,
    ContainersPatchIn,
    StandingName,
)
from xds.control.sightings import by_id

router = APIRouter(prefix="/v1", route_class=DocumentRoute, tags=["containers"])

Called = Annotated[str, Path(max_length=256, description="its id, its name, its instance, or the id's beginning")]
OfAgent = Annotated[str, Query(max_length=256, description="only what this agent sees")]


@router.get("/containers", summary="List containers", responses=reads(404))
async def list_containers(
    plane: PlaneOf,
    paging: PagingOf,
    agent: OfAgent = "",
    standing: Annotated[StandingName | None, Query(description="only those that stand so")] = None,
) -> ContainerList:
    """Return what agents see, by id: also containers that are not registered, with the reason."""
    known = by_id(
        each
        for each in plane.sightings.all()
        if agent in {"", each.agent} and standing in {None, each.sighting.standing.value}
    )
    keys, cursor = paging.cut(known)
    items = [container_out(plane, known[key]) for key in keys]
    return ContainerList(items=items, next=cursor, revision=plane.intent.revision)


@router.get("/containers/{called}:explain", summary="Explain a container", responses=reads())
async def explain(called: Called, plane: PlaneOf, agent: OfAgent = "") -> ContainerExplainOut:
    """Return labels, address, health, subsets, clusters and weight of a container, and which Envoys have it."""
    return explain_container(plane, plane.sightings.find(called, agent))


@router.get("/containers/{called}", summary="Read a container", responses=reads())
async def read_container(called: Called, plane: PlaneOf, agent: OfAgent = "") -> ContainerOut:
    """Return one container as its agent saw it last; a name that several have is refused with `ambiguous`."""
    return container_out(plane, plane.sightings.find(called, agent))


@router.put(
    "/agents/{agent_id}/containers", summary="Tell all that an agent sees", status_code=204, tags=[BATCH],
    responses=writes(412),
)  # fmt: skip
async def replace(agent_id: AgentId, document: ContainersIn, plane: PlaneOf, settings: SettingsOf) -> Response:
    """Take what an agent sees in place of what it saw; 404 `register_again` for an agent that is not known."""
    if document.items:  # a host may have none
        check_items(list[object](document.items), settings.max_batch_items)
    plane.sightings.replace(agent_id, [sighting_of(each, at) for at, each in enumerate(document.items)])
    return Response(status_code=204)


@router.patch(
    "/agents/{agent_id}/containers", summary="Tell what changed of it", status_code=204, tags=[BATCH],
    responses=writes(412),
)  # fmt: skip
async def update(agent_id: AgentId, document: ContainersPatchIn, plane: PlaneOf, settings: SettingsOf) -> Response:
    """Take what changed; 404 `register_again` where all of it has to be told first."""
    check_items([*document.items, *document.gone], settings.max_batch_items)
    seen = [sighting_of(each, at) for at, each in enumerate(document.items)]
    plane.sightings.update(agent_id, seen, document.gone)
    return Response(status_code=204)
