"""Agents from documents and back, field by field."""

from __future__ import annotations

from xds.api.schemas.agent import AgentIn, AgentOut
from xds.control.agents import AgentStatus
from xds.model.agent import Agent
from xds.model.duration import write_duration
from xds.model.problems import InvalidInput


def agent_of(document: AgentIn, agent_id: str) -> Agent:
    """Return the agent of a document; `agent_id` is the one in the path, which the document may repeat."""
    if document.id not in {None, agent_id}:
        raise InvalidInput(f"the path says {agent_id!r}, the document {document.id!r}", pointer="/id")
    return Agent(
        id=agent_id,
        ip=document.ip,
        role=document.role,
        version=document.version,
        epoch=document.epoch or 0,
        seq=document.seq or 0,
        ttl=document.ttl,
    )


def agent_out(status: AgentStatus) -> AgentOut:
    """Return an agent as a document."""
    agent, off = status.agent, status.heard.clock_off
    return AgentOut(
        id=agent.id,
        ip=agent.ip,
        role=agent.role,
        version=agent.version,
        epoch=agent.epoch,
        seq=agent.seq,
        ttl=write_duration(agent.ttl),
        state="lost" if status.lost else "alive",
        last_seen=status.heard.seen.isoformat(timespec="milliseconds"),
        silent=write_duration(round(status.silent, 3)),
        lag=write_duration(round(status.lag, 3)),
        clock_off=None if off is None else round(off, 3),
    )
