"""From intent to snapshot: translate what is dirty, publish it, and remember which version carries which weights.

What is published differs from what translation gives in two ways: removed clusters linger, and what Envoys refuse is
taken back. Only the loop calls this.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence

from xds.cache.group import Group
from xds.cache.resource import Resource, ResourceKey
from xds.cache.roster import NodeState
from xds.cache.table import Cache
from xds.control.freezes import Freezes, Frozen
from xds.control.lingering import LINGERS, Lingering
from xds.control.verdicts import verdicts
from xds.model.gateway import Gateway
from xds.model.intent import Dirty, Intent
from xds.model.names import Key, ServiceKey
from xds.model.node import NodeProfile
from xds.model.problems import Problem
from xds.translate import naming
from xds.translate.build import Builder
from xds.translate.outputs import FilterSpec, Output, OutputKey
from xds.translate.policy import Policy
from xds.wire.types import ResourceType

HISTORY = 64  # versions of one resource whose weights are remembered

_log = logging.getLogger(__name__)

Weights = Mapping[str, int]


class Publisher:
    """Turns dirty parts of the intent into published resources."""

    def __init__(self, builder: Builder, cache: Cache) -> None:
        """Publish through `cache` what `builder` makes."""
        self._builder = builder
        self._cache = cache
        self.lingering = Lingering()
        self._carried: dict[ResourceKey, OrderedDict[str, Mapping[ServiceKey, Weights]]] = {}
        self._carriers: Mapping[ServiceKey, frozenset[OutputKey]] = {}
        self.uses: Mapping[Key, frozenset[str]] = {}
        """By gateway: the services that its routes lead to, as published."""
        self._freezes = Freezes()
        self._problems: tuple[Problem, ...] = ()

    def use(self, spec: FilterSpec) -> None:
        """Publish another filter from the next time on; Conflict where listeners have no place for one."""
        self._builder.use(spec)

    def publish(
        self,
        intent: Intent,
        dirty: Dirty,
        profiles: frozenset[NodeProfile],
        nodes: Sequence[NodeState] = (),
        *,
        now: float,
    ) -> None:
        """Translate what is dirty and publish the difference; nothing changed means nothing is sent.

        `nodes` are asked whether they acknowledged what is replaced: that could be needed again.
        """
        gateways = {env: _gateways(intent.gateways.values(), env) for env in dirty.gateways}
        built = self._builder.build({key: intent.view(key) for key in dirty.services}, gateways, profiles)
        self._problems = built.problems
        self._carriers = built.carriers
        self.uses = built.uses
        upserts = self._freezes.admit([self._resource(output) for output in built.upserts])
        removals: list[ResourceKey] = []
        served = self._cache.latest()
        for gone in built.removals:
            key = ResourceKey(gone.type, gone.name, gone.variant)
            self._carried.pop(key, None)
            self._freezes.removed(key)
            if key.type not in LINGERS:
                removals.append(key)
            elif served is not None and (resource := served.get(key)) is not None:
                self.lingering.removed(resource, now)
        for resource in upserts:
            self.lingering.returned(resource.key)
            if served is not None:
                self._freezes.replaced(served.get(resource.key), resource, nodes)
        self._cache.publish((*(self.lingering.resources if served is None else ()), *upserts), removals)

    def policy(self, service: ServiceKey) -> Policy:
        """Return the policy that holds for a service as it was last published."""
        return self._builder.policy(service)

    def judge(self, nodes: Sequence[NodeState], now: float) -> float | None:
        """Take back what Envoys refuse (see `verdicts`); return when to judge again, None until another refusal."""
        snapshot = self._cache.latest()
        if snapshot is None:
            return None
        found, again = verdicts(snapshot, nodes, now)
        frozen = [frozen for verdict in found if (frozen := self._freezes.freeze(verdict, nodes)) is not None]
        for each in frozen:
            _log.error("taken back: %s: %s", each.problem.object, each.problem.message)
        self._cache.publish(
            [each.instead for each in frozen if each.instead is not None],
            [each.verdict.refused.key for each in frozen if each.instead is None],
        )
        return again

    def restore(self, resources: Iterable[Resource], start: float) -> None:
        """Let what lingered before a restart linger from the first publish on; its clock starts anew at `start`."""
        for resource in resources:
            self.lingering.removed(resource, start)

    def sweep(self, behind: Callable[[str], Iterable[str]], now: float) -> float | None:
        """Remove what has lingered long enough; return when to sweep again. `behind`: as `Lingering.sweep` has it."""
        if over := self.lingering.sweep(behind, now):
            self._cache.publish((), over)
        return self.lingering.due

    def clusters(self, env: str) -> int:
        """Return how many clusters of an environment are published because something declares them."""
        snapshot = self._cache.latest()
        layer = snapshot.table(ResourceType.CLUSTER).layers.get(env, {}) if snapshot is not None else {}
        return len(layer) - sum(r.type is ResourceType.CLUSTER and r.variant == env for r in self.lingering.resources)

    def carriers(self, service: ServiceKey) -> list[ResourceKey]:
        """Return the resources that carry a service's weights, in order of type, name and variant."""
        keys = (ResourceKey(key.type, key.name, key.variant) for key in self._carriers.get(service, ()))
        return sorted(keys, key=lambda key: (key.type.short, key.name, key.variant))

    def weights(self, key: ResourceKey, version: str, service: ServiceKey) -> Weights | None:
        """Return the weights that `version` of a resource gives a service, or None when that is not known."""
        return self._carried[key].get(version, {}).get(service) if key in self._carried else None

    def published(self, key: ResourceKey, service: ServiceKey) -> Weights | None:
        """Return the weights that the published version of a resource gives a service."""
        snapshot = self._cache.latest()
        resource = snapshot.get(key) if snapshot is not None else None
        return self.weights(key, resource.version, service) if resource is not None else None

    def sees(self, group: Group, key: ResourceKey) -> bool:
        """Say whether nodes of a group see exactly this resource now, and not another variant of it or nothing."""
        snapshot = self._cache.latest()
        found = snapshot.view(key.type, group).find(key.name) if snapshot is not None else None
        return found is not None and found.variant == key.variant

    def wanted(self, key: ResourceKey, service: ServiceKey) -> Weights | None:
        """Return the weights that a resource should give a service: the published ones, unless it is frozen."""
        frozen = self._freezes.get(key)
        if frozen is None:
            return self.published(key, service)
        return self.weights(key, frozen.verdict.refused.version, service)

    def frozen(self, key: ResourceKey) -> Frozen | None:
        """Return what was taken back under `key`, if anything was."""
        return self._freezes.get(key)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Return what is wrong with what is declared, and what was taken back."""
        return (*self._problems, *self._freezes.problems)

    def seen(self, type_: ResourceType, group: Group) -> Mapping[str, Resource]:
        """Return what nodes of a group see of a type now, by name."""
        snapshot = self._cache.latest()
        return snapshot.view(type_, group).all() if snapshot is not None else {}

    def _resource(self, output: Output) -> Resource:
        # A listener that changes warms until it has its routes again (xDS protocol, "Resource warming").
        warms = (naming.routes_of(output.name),) if output.type is ResourceType.LISTENER else None
        needs = tuple(sorted(output.needs))
        resource = Resource.of(output.type, output.name, output.value, output.variant, warms=warms, needs=needs)
        if output.weights:
            versions = self._carried.setdefault(resource.key, OrderedDict())
            versions[resource.version] = output.weights
            versions.move_to_end(resource.version)
            while len(versions) > HISTORY:
                versions.popitem(last=False)
        return resource


def _gateways(gateways: Iterable[Gateway], env: str) -> tuple[Gateway, ...]:
    return tuple(sorted((g for g in gateways if g.key.env == env), key=lambda gateway: gateway.key))
