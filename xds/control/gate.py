"""The gate: is a service's weight live? Pure, from what was published, sent, acknowledged and refused.

A weight is done when every live node that holds a route of the service has acknowledged a version of that route which
carries it, and nothing else is on its way there. Beside a preview, which versions of the same weights may carry or not,
it has to be the version that is published now. No live node is `blocked`, never done: a control plane that nobody
listens to has moved nobody. So are weights that were taken back because Envoys refused them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from xds.cache.resource import Resource, ResourceKey
from xds.cache.roster import NodeState
from xds.cache.typestate import TypeState
from xds.control.publisher import Publisher
from xds.model.names import ServiceKey
from xds.model.problems import Problem
from xds.wire.types import ResourceType

SILENCE = 10.0


class GateState(StrEnum):
    """DONE: go on. WAITING: acknowledgements are on their way. BLOCKED: something is wrong, in words."""

    WAITING = "waiting"
    BLOCKED = "blocked"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class NodeGate:
    """One node's part: the weights (10,000ths) wanted, last sent and last acknowledged, and its words if it refused."""

    node: str
    wanted: Mapping[str, int]
    sent: Mapping[str, int] | None
    acked: Mapping[str, int] | None
    state: GateState
    message: str = ""


@dataclass(frozen=True, slots=True)
class GateStatus:
    """The gate of one service: how many of the live nodes that hold its route have acknowledged the wanted weights."""

    state: GateState
    reason: str
    acked: int
    live: int
    nodes: tuple[NodeGate, ...]


def gate(  # noqa: PLR0913 - whose gate it is, what is known, when, and how much is asked
    service: ServiceKey,
    publisher: Publisher,
    nodes: Sequence[NodeState],
    *,
    waited: float,
    now: float,
    exact: bool = False,
) -> GateStatus:
    """Return the state of a service's gate; `waited` is how long the present weights have been wanted, in seconds.

    `exact` asks for the routes as they are published now, and not for their weights alone.
    """
    carriers = publisher.carriers(service)
    parts = [
        part
        for state in nodes
        if state.is_live(now)
        for key in _held(carriers, publisher, state)
        if (part := _part(service, key, publisher, state, waited, exact=exact)) is not None
    ]
    live = {part.node for part in parts}
    acked = len(live - {part.node for part in parts if part.state is not GateState.DONE})
    if not parts:
        reason = f"no live Envoy holds a route to {service.name}"
        return GateStatus(GateState.BLOCKED, reason, 0, 0, ())
    blocked = [part for part in parts if part.state is GateState.BLOCKED]
    if blocked:
        reason = f"{blocked[0].node} {blocked[0].message}"
        return GateStatus(GateState.BLOCKED, reason, acked, len(live), tuple(parts))
    state = GateState.DONE if acked == len(live) else GateState.WAITING
    return GateStatus(state, "", acked, len(live), tuple(parts))


def unpublished(parts: Iterable[NodeGate]) -> tuple[NodeGate, ...]:
    """Return the parts of a service with a change that is not published yet: nobody is done with that."""
    words = "a change is not published yet"
    return tuple(
        replace(part, state=GateState.WAITING, message=words) if part.state is GateState.DONE else part
        for part in parts
    )


def caught_up(publisher: Publisher, nodes: Sequence[NodeState], *, now: float) -> bool:
    """Say whether every live node has acknowledged all routes and listeners that it holds as they are published now.

    Asks more than `gate` does: a route with a split of its own carries no weights of its service, and sends users too.
    """
    return not any(state.is_live(now) and _is_behind(publisher, state) for state in nodes)


def behind(publisher: Publisher, nodes: Sequence[NodeState], variant: str, *, now: float) -> list[str]:
    """Return the live nodes that see a variant and have not caught up."""
    return [
        state.node.id
        for state in nodes
        if state.is_live(now) and variant in state.group.variants and _is_behind(publisher, state)
    ]


def _is_behind(publisher: Publisher, state: NodeState) -> bool:
    """Say whether a node has yet to acknowledge a route or listener that it sees, or to be given what it should."""
    return not all(
        _is_settled(publisher, held, publisher.seen(type_, state.group))
        for type_ in (ResourceType.ROUTE, ResourceType.LISTENER)
        if (held := state.types.get(type_)) is not None
    )


def _is_settled(publisher: Publisher, held: TypeState, seen: Mapping[str, Resource]) -> bool:
    """Say whether a node has acknowledged all that it sees of a type, and nothing older is on its way or stands in."""
    acked, sent = held.acked, held.sent
    names = seen.keys() if held.wildcard else seen.keys() & held.names
    return all(
        name in acked
        and name in sent
        and acked[name].version == sent[name].version == seen[name].version
        and publisher.frozen(seen[name].key) is None
        for name in names
    )


def _held(carriers: Iterable[ResourceKey], publisher: Publisher, state: NodeState) -> list[ResourceKey]:
    """Return the carriers that this node subscribes to, the variant of each that its group sees."""
    return [
        key
        for key in carriers
        if (held := state.types.get(key.type)) is not None
        and (held.wildcard or key.name in held.names)
        and publisher.sees(state.group, key)
    ]


def _part(  # noqa: PLR0913 - the same, for one resource of one node
    service: ServiceKey, key: ResourceKey, publisher: Publisher, state: NodeState, waited: float, *, exact: bool
) -> NodeGate | None:
    wanted = publisher.wanted(key, service)
    if wanted is None:
        return None
    held = state.types[key.type]
    sent_version, acked_version = held.sent.get(key.name), held.acked.get(key.name)
    sent = publisher.weights(key, sent_version.version, service) if sent_version else None
    acked = publisher.weights(key, acked_version.version, service) if acked_version else None
    name = state.node.id
    if (frozen := publisher.frozen(key)) and (exact or wanted != publisher.published(key, service)):
        return NodeGate(name, wanted, sent, acked, GateState.BLOCKED, f"has not got it: {frozen.reason}")
    current = publisher.seen(key.type, state.group).get(key.name) if exact else None
    versions = {each.version for each in (current, sent_version, acked_version) if each is not None}
    if acked == wanted and (sent_version is None or sent == wanted) and not (exact and len(versions) > 1):
        return NodeGate(name, wanted, sent, acked, GateState.DONE)
    if held.nack is not None and key.name in held.nack.versions and sent == wanted:
        return NodeGate(name, wanted, sent, acked, GateState.BLOCKED, f"refused: {held.nack.message}")
    refused, words = _held_back(key, publisher, state)
    if refused:
        return NodeGate(name, wanted, sent, acked, GateState.BLOCKED, words)
    if waited >= SILENCE:
        words = words or f"has not acknowledged for {waited:.0f} s"
        return NodeGate(name, wanted, sent, acked, GateState.BLOCKED, words)
    return NodeGate(name, wanted, sent, acked, GateState.WAITING, words)


def _held_back(key: ResourceKey, publisher: Publisher, state: NodeState) -> tuple[bool, str]:
    """Say why a route is kept from a node that lacks one of its clusters, and whether the node refused that cluster."""
    left = state.types[key.type].progress
    route = publisher.seen(key.type, state.group).get(key.name)
    if left is None or route is None or key.name not in left.held_back:
        return False, ""
    clusters = state.types.get(ResourceType.CLUSTER)
    for cluster in route.needs:
        if clusters is not None and (nack := clusters.refused.get(cluster)) is not None:
            return True, f"held back: {key.name} needs cluster {cluster}, which it refused: {nack.message}"
    lacking = (cluster for cluster in route.needs if clusters is None or cluster not in clusters.acked)
    return False, f"held back: {key.name} waits for cluster {next(lacking, 'that it lacks')}"


def refusals(nodes: Iterable[NodeState], now: float) -> Iterator[Problem]:
    """Yield what live nodes refuse, each in its own words; a refusal stands until a later answer settles it."""
    for state in nodes:
        for type_, held in state.types.items():
            if held.nack is not None and state.is_live(now):
                message = f"it refused its {type_.short}: {held.nack.message}; it keeps what it had"
                yield Problem("node", state.node.id, "", message)
