"""Which Envoys have the endpoints of a cluster as they are published now. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from xds.cache.roster import NodeState
from xds.cache.snapshot import Snapshot
from xds.cache.typestate import TypeState
from xds.wire.types import ResourceType


class Reach(StrEnum):
    """ACKED: it has them. SENT: it has not answered yet. OWED: they are still to be sent. REFUSED: it said no."""

    ACKED = "acked"
    SENT = "sent"
    OWED = "owed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class NodeReach:
    """How one Envoy stands to the endpoints of one cluster; `message` is its own words if it refused them."""

    node: str
    cluster: str
    reach: Reach
    message: str = ""


def reached(
    clusters: Collection[str], snapshot: Snapshot | None, nodes: Sequence[NodeState], env: str, now: float
) -> Iterator[NodeReach]:
    """Yield how each live Envoy of an environment stands to those of the clusters that it asks for."""
    for state in nodes:
        held = state.types.get(ResourceType.ENDPOINT)
        if snapshot is None or held is None or not state.is_live(now) or env not in state.group.variants:
            continue
        seen = snapshot.view(ResourceType.ENDPOINT, state.group)
        for cluster in clusters:
            resource = seen.find(cluster)
            if resource is not None and (held.wildcard or cluster in held.names):
                yield NodeReach(state.node.id, cluster, *_reach(held, cluster, resource.version))


def _reach(held: TypeState, cluster: str, version: str) -> tuple[Reach, str]:
    acked, sent = held.acked.get(cluster), held.sent.get(cluster)
    if acked is not None and acked.version == version:
        return Reach.ACKED, ""
    if (nack := held.refused.get(cluster)) is not None and nack.versions[cluster].version == version:
        return Reach.REFUSED, nack.message
    return (Reach.SENT if sent is not None and sent.version == version else Reach.OWED), ""
