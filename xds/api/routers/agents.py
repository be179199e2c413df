"""Agents: the programs on hosts that tell what runs there; they register themselves, and are seen in one list."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from xds.api.body import DocumentRoute
from xds.api.caller import CallerOf, PlaneOf
from xds.api.convert.agent import agent_of, agent_out
from xds.api.convert.instance import expires_in
from xds.api.openapi import reads, writes
from xds.api.pages import PagingOf
from xds.api.schemas.agent import AgentBeatIn, AgentIn, AgentList, AgentOut
from xds.api.schemas.instance import LeaseOut
from xds.model.problems import Forbidden, InvalidInput

router = APIRouter(prefix="/v1", route_class=DocumentRoute, tags=["agents"])

AgentId = Annotated[str, Path(max_length=256, description="the agent's id")]


@router.get("/agents", summary="List agents", responses=reads(404))
async def list_agents(plane: PlaneOf, paging: PagingOf) -> AgentList:
    """Return every agent that registered, by id, also those that are lost since less than a day."""
    ids, cursor = paging.cut(plane.agents.ids())
    items = [agent_out(plane.agents.get(each)) for each in ids]
    return AgentList(items=items, next=cursor, revision=plane.intent.revision)


@router.get("/agents/{agent_id}", summary="Read an agent", responses=reads())
async def read_agent(agent_id: AgentId, plane: PlaneOf) -> AgentOut:
    """Return one agent with its state."""
    return agent_out(plane.agents.get(agent_id))


@router.put("/agents/{agent_id}", summary="Register an agent", responses=writes(404, 412))
async def put_agent(agent_id: AgentId, document: AgentIn, caller: CallerOf) -> AgentOut:
    """Take an agent into the list, with a lease; the same agent again says something else of itself."""
    try:
        return agent_out(caller.plane.agents.register(agent_of(document, agent_id), document.ts))
    except Forbidden as error:
        caller.plane.note("refused", agent_id, None, None, caller.actor, error.message)
        raise


@router.put("/agents/{agent_id}/heartbeat", summary="Renew an agent's lease", responses=writes(412))
async def beat(agent_id: AgentId, plane: PlaneOf, document: AgentBeatIn | None = None) -> LeaseOut:
    """Renew a lease. A heartbeat creates nothing: 404 means register again."""
    said = document or AgentBeatIn()
    if said.id not in {None, agent_id}:
        raise InvalidInput(f"the path says {agent_id!r}, the document {said.id!r}", pointer="/id")
    lease = plane.agents.heartbeat(agent_id, epoch=said.epoch or 0, seq=said.seq or 0, said=said.ts)
    return LeaseOut(expires_in=expires_in(lease))


@router.delete("/agents/{agent_id}", summary="Remove an agent", status_code=204, responses=writes())
async def delete_agent(agent_id: AgentId, plane: PlaneOf) -> Response:
    """Take an agent off the list; one that lives is told by its next heartbeat to register again."""
    plane.agents.remove(agent_id)
    return Response(status_code=204)
