"""Nodes: the Envoys, and what each has acknowledged."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from xds.api.body import DocumentRoute
from xds.api.caller import PlaneOf, TelemetryOf
from xds.api.convert.node import node_listed, node_out
from xds.api.openapi import reads
from xds.api.pages import PagingOf
from xds.api.schemas.node import NodeList, NodeOut
from xds.model.problems import NotFound

router = APIRouter(prefix="/v1", route_class=DocumentRoute, tags=["nodes"])


@router.get("/nodes", summary="List Envoys", responses=reads(404))
async def list_nodes(
    plane: PlaneOf,
    paging: PagingOf,
    connected: Annotated[bool | None, Query(description="only those that are, or are not, connected")] = None,
) -> NodeList:
    """Return every Envoy that has been seen, by id; what it asked for, was sent and said to it in numbers."""
    known = {state.node.id: state for state in plane.roster.nodes() if connected in {None, state.connected}}
    ids, cursor = paging.cut(known)
    now, services = plane.clock.monotonic(), plane.intent.services.keys()
    listed = [node_listed(known[each], plane.membership(each), services, now) for each in ids]
    return NodeList(items=listed, next=cursor, revision=plane.intent.revision)


@router.get("/nodes/{node_id}", summary="Read an Envoy", responses=reads())
async def read_node(node_id: Annotated[str, Path(max_length=256)], plane: PlaneOf, telemetry: TelemetryOf) -> NodeOut:
    """Return one Envoy: its group, how it stands to each type of resource, and how its breakers stand."""
    state = plane.roster.node(node_id)
    if state is None:
        raise NotFound(f"no Envoy called {node_id} has been seen")
    now, services = plane.clock.monotonic(), plane.intent.services.keys()
    return node_out(state, plane.membership(node_id), services, telemetry.breakers.of_node(node_id), now)
