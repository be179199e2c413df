"""Verdicts: which published contents are to be taken back, because the nodes that should run them refuse them.

Pure, from what is published and what nodes answered. A content is taken back only when no node acknowledged it and at
least two nodes, and 20 % of those that ask for it, refused it: one Envoy that refuses is that Envoy's problem, and two
hostile ones must not stop the rest. Endpoints are never taken back: they are facts, not decisions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from xds.cache.resource import Resource, ResourceKey
from xds.cache.roster import NodeState
from xds.cache.snapshot import Snapshot
from xds.cache.typestate import Nack, TypeState
from xds.wire.types import ResourceType

REFUSERS = 2
SHARE = 0.2
PATIENCE = 2.0  # seconds in which those who have not answered yet may still speak for the content


@dataclass(frozen=True, slots=True)
class Verdict:
    """A published content to take back: the nodes that refused it, in order, how many ask for it, and whose words.

    `message` is the first refuser's.
    """

    refused: Resource
    nodes: tuple[str, ...]
    holders: int
    message: str


@dataclass(slots=True)
class _Suspect:
    resource: Resource
    by: dict[str, Nack] = field(default_factory=dict)

    @property
    def last(self) -> float:
        return max(nack.at for nack in self.by.values())


def verdicts(snapshot: Snapshot, nodes: Sequence[NodeState], now: float) -> tuple[tuple[Verdict, ...], float | None]:
    """Return what to take back now, and when to look again at what some nodes have yet to answer (None: never)."""
    found: list[Verdict] = []
    deadlines: list[float] = []
    for suspect in _suspects(snapshot, nodes, now).values():
        resource, by = suspect.resource, suspect.by
        if len(by) < REFUSERS:
            continue
        if is_acknowledged(resource, nodes):
            continue
        holders = [state for state in nodes if state.is_live(now) and _asks_for(snapshot, state, resource)]
        if len(by) < SHARE * len(holders):
            continue
        until = suspect.last + PATIENCE
        if len(by) < len(holders) and now < until:
            deadlines.append(until)
            continue
        names = tuple(sorted(by))
        found.append(Verdict(resource, names, len(holders), by[names[0]].message))
    return tuple(found), min(deadlines, default=None)


def _suspects(snapshot: Snapshot, nodes: Sequence[NodeState], now: float) -> Mapping[ResourceKey, _Suspect]:
    """Return what is published now and refused by live nodes."""
    found: dict[ResourceKey, _Suspect] = {}
    for state in nodes:
        for type_, held in state.types.items():
            if held.nack is None or type_ is ResourceType.ENDPOINT or not state.is_live(now):
                continue
            view = snapshot.view(type_, state.group)
            for name in blamed(held, held.nack):
                resource = view.find(name)
                if resource is not None and resource.version == held.nack.versions[name].version:
                    found.setdefault(resource.key, _Suspect(resource)).by[state.node.id] = held.nack
    return found


def blamed(held: TypeState, nack: Nack) -> Iterator[str]:
    """Yield the names that a refusal is about: those it mentions, or else whatever was new in the refused response.

    A response carries companions, and Envoy names the culprit: "Error adding/updating cluster(s) web/v2: ...".
    """
    mentioned = [name for name in nack.versions if _mentions(nack.message, name)]
    yield from mentioned or (name for name, sent in nack.versions.items() if held.acked.get(name) != sent)


def _mentions(message: str, name: str) -> bool:
    """Say whether a text has `name` as a whole: `web/v1` is not mentioned by `web/v10`, nor by `my-web/v1`."""
    return name in message and re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w/-]|\.\w)", message) is not None


def is_acknowledged(resource: Resource, nodes: Iterable[NodeState]) -> bool:
    """Say whether any node, live or not, holds exactly this content by its own word."""
    for state in nodes:
        held = state.types.get(resource.type)
        acked = held.acked.get(resource.name) if held is not None else None
        if acked is not None and acked.version == resource.version and resource.variant in state.group.variants:
            return True
    return False


def _asks_for(snapshot: Snapshot, state: NodeState, resource: Resource) -> bool:
    held = state.types.get(resource.type)
    if held is None or not (held.wildcard or resource.name in held.names):
        return False
    seen = snapshot.view(resource.type, state.group).find(resource.name)
    return seen is not None and seen.variant == resource.variant
