"""Nodes, outward: what is known of one xDS client."""

from __future__ import annotations

from collections.abc import Mapping

from xds.api.scalars import write_duration
from xds.api.schemas.node import GroupOut, NackOut, NodeOut, TypeOut
from xds.cache.resource import Held
from xds.cache.roster import NodeState
from xds.cache.typestate import TypeState
from xds.control.nodes import Membership
from xds.control.plane import ControlPlane
from xds.model.node import NodeProfile


def node_out(state: NodeState, plane: ControlPlane) -> NodeOut:
    """Return a node as a document, with the group that it is in."""
    node, now = state.node, plane.clock.monotonic()
    member = plane.membership(node.id)
    said = NodeProfile.from_metadata(node.metadata, node.version) if member is None else member.said
    return NodeOut(
        id=node.id,
        role=said.role,
        env=said.env,
        service=said.service,
        gateway=said.gateway,
        cluster=node.cluster,
        version=node.version,
        peer=node.peer,
        state="live" if state.is_live(now) else "unknown",
        connected=state.connected,
        closed_for=None if state.closed_at is None else _since(state.closed_at, now),
        group=_group_out(state, member, plane),
        types={type_.short: _type_out(held, now) for type_, held in state.types.items()},
    )


def _group_out(state: NodeState, member: Membership | None, plane: ControlPlane) -> GroupOut:
    names = None if member is None or member.upstreams is None else list(member.upstreams)
    known = {key.name for key in plane.intent.services if member is not None and key.env == member.said.env}
    return GroupOut(
        id=state.group.id,
        because="" if member is None else member.because,
        upstreams=names,
        missing=[name for name in names or () if name not in known],
        variants=list(state.group.variants),
    )


def _type_out(held: TypeState, now: float) -> TypeOut:
    nack = held.nack
    return TypeOut(
        wildcard=held.wildcard,
        names=sorted(held.names),
        sent=_versions(held.sent),
        acked=_versions(held.acked),
        pending_for=None if held.pending is None else _since(held.pending, now),
        nack=None
        if nack is None
        else NackOut(message=nack.message, ago=_since(nack.at, now), versions=_versions(nack.versions)),
    )


def _versions(contents: Mapping[str, Held]) -> dict[str, str]:
    return {name: held.version for name, held in sorted(contents.items())}


def _since(moment: float, now: float) -> str:
    return write_duration(round(max(0.0, now - moment), 3))
