"""Nodes, outward: what the roster knows of one Envoy."""

from __future__ import annotations

from collections.abc import Mapping

from xds.api.scalars import write_duration
from xds.api.schemas.node import NackOut, NodeOut, TypeOut
from xds.cache.resource import Held
from xds.cache.roster import NodeState
from xds.cache.typestate import TypeState


def node_out(state: NodeState, now: float) -> NodeOut:
    """Return a node as a document; `now` is monotonic seconds."""
    node = state.node
    ours = node.metadata.get("fairlead")
    said: Mapping[str, object] = ours if isinstance(ours, Mapping) else {}
    return NodeOut(
        id=node.id,
        role=str(said.get("role", "sidecar")),
        env=str(said.get("env", "default")),
        service=str(said.get("service", "")),
        gateway=str(said.get("gateway", "")),
        cluster=node.cluster,
        version=node.version,
        peer=node.peer,
        state="live" if state.is_live(now) else "unknown",
        connected=state.connected,
        closed_for=None if state.closed_at is None else _since(state.closed_at, now),
        types={type_.short: _type_out(held, now) for type_, held in state.types.items()},
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
