"""What translation hands out, and the ledger that finds out what changed.

Knows resources as bytes with a name and a variant; refuses to know what is in them.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from xds.model.names import Key, ServiceKey
from xds.model.problems import Problem
from xds.wire.filter_schema import FilterDefaults
from xds.wire.types import ResourceType

Weights = Mapping[ServiceKey, Mapping[str, int]]
"""Effective weights, after fall-back, in 10,000ths: service -> subset -> weight."""


class OutputKey(NamedTuple):
    """Where a resource stands.

    `variant` is an environment, the scope of some upstreams, a node profile's variant, or "" for everybody.
    """

    type: ResourceType
    name: str
    variant: str


@dataclass(frozen=True, slots=True)
class Output:
    """One encoded resource. `weights` are those of the splits that it carries (routes, listeners of TCP services).

    `needs` are the clusters that it leads to.
    """

    type: ResourceType
    name: str
    variant: str
    value: bytes
    weights: Weights = field(default_factory=dict)
    needs: Set[str] = frozenset()

    @property
    def key(self) -> OutputKey:
        """Return where it stands."""
        return OutputKey(self.type, self.name, self.variant)


@dataclass(frozen=True, slots=True)
class Built:
    """What changed (`upserts`, `removals`), and what stands now (`problems`, `carriers`, `uses`: all of them).

    `uses` tells which services a gateway's routes lead to.
    """

    upserts: tuple[Output, ...]
    removals: tuple[OutputKey, ...]
    problems: tuple[Problem, ...]
    carriers: Mapping[ServiceKey, frozenset[OutputKey]]
    uses: Mapping[Key, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FilterSpec:
    """The health filter: the bytes of its module and its global defaults."""

    module: bytes
    defaults: FilterDefaults = field(default_factory=FilterDefaults)


class Ledger:
    """Every resource that stands, and what changed since `take` was last called."""

    def __init__(self) -> None:
        """Start empty."""
        self._standing: dict[OutputKey, Output] = {}
        self._before: dict[OutputKey, Output | None] = {}
        self._carriers: dict[ServiceKey, frozenset[OutputKey]] = {}

    def put(self, key: OutputKey, value: bytes, weights: Weights | None = None, needs: Set[str] = frozenset()) -> None:
        """Let `value` stand under `key`; nothing happens when it already does."""
        carried = weights or {}
        standing = self._standing.get(key)
        if standing is not None and standing.value == value and standing.weights == carried:
            return
        self._before.setdefault(key, standing)
        self._standing[key] = Output(key.type, key.name, key.variant, value, carried, needs)
        self._carry(key, standing.weights if standing else {}, carried)

    def drop(self, key: OutputKey) -> None:
        """Let nothing stand under `key`."""
        standing = self._standing.pop(key, None)
        if standing is not None:
            self._before.setdefault(key, standing)
            self._carry(key, standing.weights, {})

    def take(self) -> tuple[tuple[Output, ...], tuple[OutputKey, ...]]:
        """Return what is new or differs and what is gone, each sorted by type, name and variant; then forget it."""
        upserts: list[Output] = []
        removals: list[OutputKey] = []
        for key in sorted(self._before, key=_order):
            before, now = self._before[key], self._standing.get(key)
            if now is None:
                if before is not None:
                    removals.append(key)
            elif now != before:
                upserts.append(now)
        self._before = {}
        return tuple(upserts), tuple(removals)

    def carriers(self) -> dict[ServiceKey, frozenset[OutputKey]]:
        """Return which resources carry the split of which service."""
        return dict(self._carriers)

    def _carry(self, key: OutputKey, before: Weights, now: Weights) -> None:
        if before.keys() == now.keys():
            return
        for service in before.keys() - now.keys():
            rest = self._carriers[service] - {key}
            if rest:
                self._carriers[service] = rest
            else:
                del self._carriers[service]
        for service in now.keys() - before.keys():
            self._carriers[service] = self._carriers.get(service, frozenset()) | {key}


def _order(key: OutputKey) -> tuple[str, str, str]:
    return key.type.short, key.name, key.variant
