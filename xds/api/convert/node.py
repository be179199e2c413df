"""Nodes, outward: what is known of one xDS client."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any  # the keyword arguments that two documents share

from xds.api.convert.breaker import node_breakers
from xds.api.schemas.node import GroupOut, NackOut, NodeListed, NodeOut, TallyOut, TypeCounts, TypeOut
from xds.cache.resource import Held
from xds.cache.roster import NodeState
from xds.cache.typestate import TypeState
from xds.control.nodes import Membership
from xds.model.breaker import Reported
from xds.model.duration import write_duration
from xds.model.names import ServiceKey
from xds.model.node import NodeProfile


def node_out(
    state: NodeState,
    member: Membership | None,
    services: Collection[ServiceKey],
    breakers: Mapping[str, Reported],
    now: float,
) -> NodeOut:
    """Return a node as a document, with its group and what it tells of `breakers`; `now` is monotonic seconds."""
    types = {type_.short: _type_out(held, now) for type_, held in state.types.items()}
    return NodeOut(**_facts(state, member, services, now), types=types, breakers=node_breakers(breakers))


def node_listed(
    state: NodeState, member: Membership | None, services: Collection[ServiceKey], now: float
) -> NodeListed:
    """Return a node as a list has it, in numbers; `now` is monotonic seconds."""
    types = {type_.short: _type_counts(held, now) for type_, held in state.types.items()}
    return NodeListed(**_facts(state, member, services, now), types=types)


def _facts(state: NodeState, member: Membership | None, services: Collection[ServiceKey], now: float) -> dict[str, Any]:
    node = state.node
    said = NodeProfile.from_metadata(node.metadata, node.version) if member is None else member.said
    return {
        "id": node.id,
        "role": said.role,
        "env": said.env,
        "service": said.service,
        "gateway": said.gateway,
        "cluster": node.cluster,
        "version": node.version,
        "peer": node.peer,
        "state": "live" if state.is_live(now) else "unknown",
        "connected": state.connected,
        "closed_for": None if state.closed_at is None else _since(state.closed_at, now),
        "group": _group_out(state, member, services),
    }


def _group_out(state: NodeState, member: Membership | None, services: Collection[ServiceKey]) -> GroupOut:
    names = None if member is None or member.upstreams is None else list(member.upstreams)
    missing = [] if member is None else [n for n in names or () if ServiceKey(member.said.env, n) not in services]
    return GroupOut(
        id=state.group.id,
        because="" if member is None else member.because,
        upstreams=names,
        missing=missing,
        variants=list(state.group.variants),
    )


def _type_out(held: TypeState, now: float) -> TypeOut:
    owed, parked, held_back = _left(held)
    return TypeOut(
        wildcard=held.wildcard,
        names=sorted(held.names),
        sent=_versions(held.sent),
        acked=_versions(held.acked),
        pending_for=_pending_for(held, now),
        nack=_nack_out(held, now),
        owed=sorted(owed),
        parked=sorted(parked),
        held_back=sorted(held_back),
        tally=_tally_out(held),
    )


def _type_counts(held: TypeState, now: float) -> TypeCounts:
    owed, parked, held_back = _left(held)
    sent, acked = held.sent, held.acked
    return TypeCounts(
        wildcard=held.wildcard,
        names=len(held.names),
        sent=len(sent),
        acked=len(sent) if sent is acked else sum(acked.get(name) == content for name, content in sent.items()),
        pending_for=_pending_for(held, now),
        nack=_nack_out(held, now),
        owed=len(owed),
        parked=len(parked),
        held_back=len(held_back),
        tally=_tally_out(held),
    )


def _left(held: TypeState) -> tuple[Collection[str], Collection[str], Collection[str]]:
    """Return what its stream still has to do: names owed, parked and held back; nothing once it closed."""
    left = held.progress
    return ((), (), ()) if left is None else (left.owed, left.parked, left.held_back)


def _pending_for(held: TypeState, now: float) -> str | None:
    return None if held.pending is None else _since(held.pending, now)


def _nack_out(held: TypeState, now: float) -> NackOut | None:
    nack = held.nack
    if nack is None:
        return None
    return NackOut(message=nack.message, ago=_since(nack.at, now), versions=_versions(nack.versions))


def _tally_out(held: TypeState) -> TallyOut:
    tally = held.tally
    took = None if tally.answered_in is None else write_duration(round(tally.answered_in, 4))
    return TallyOut(pushes=tally.pushes, bytes=tally.bytes, nacks=tally.nacks, answered_in=took)


def _versions(contents: Mapping[str, Held]) -> dict[str, str]:
    return {name: held.version for name, held in sorted(contents.items())}


def _since(moment: float, now: float) -> str:
    return write_duration(round(max(0.0, now - moment), 3))
