"""From intent to snapshot: translate what is dirty, publish it, and remember which version carries which weights.

Removed clusters and their endpoints linger, so that a proxy that is slow to take a new route never meets a route to a
cluster it no longer has. Only the loop calls this.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from xds.cache.group import Group
from xds.cache.resource import Resource, ResourceKey
from xds.cache.table import Cache
from xds.model.gateway import Gateway
from xds.model.intent import Dirty, Intent
from xds.model.names import Key, ServiceKey
from xds.model.node import NodeProfile
from xds.model.problems import Problem
from xds.translate import naming
from xds.translate.build import Builder
from xds.translate.outputs import FilterSpec, Output, OutputKey
from xds.wire.types import ResourceType

LINGER = 60.0
HISTORY = 64  # versions of one resource whose weights are remembered

Weights = Mapping[str, int]

_LINGERING = {ResourceType.CLUSTER, ResourceType.ENDPOINT}


class Publisher:
    """Turns dirty parts of the intent into published resources."""

    def __init__(self, builder: Builder, cache: Cache, *, linger: float = LINGER) -> None:
        """Publish through `cache`; keep removed clusters for `linger` seconds."""
        self._builder = builder
        self._cache = cache
        self._linger = linger
        self._lingering: dict[ResourceKey, float] = {}
        self._carried: dict[ResourceKey, OrderedDict[str, Mapping[ServiceKey, Weights]]] = {}
        self._carriers: Mapping[ServiceKey, frozenset[OutputKey]] = {}
        self.problems: tuple[Problem, ...] = ()
        self.uses: Mapping[Key, frozenset[str]] = {}
        """By gateway: the services that its routes lead to, as published."""

    def use(self, spec: FilterSpec) -> None:
        """Publish another filter from the next time on; Conflict where listeners have no place for one."""
        self._builder.use(spec)

    def publish(self, intent: Intent, dirty: Dirty, profiles: frozenset[NodeProfile], now: float) -> None:
        """Translate what is dirty and publish the difference; nothing changed means nothing is sent."""
        gateways = {env: _gateways(intent.gateways.values(), env) for env in dirty.gateways}
        built = self._builder.build({key: intent.view(key) for key in dirty.services}, gateways, profiles)
        self.problems = built.problems
        self._carriers = built.carriers
        self.uses = built.uses
        upserts = [self._resource(output) for output in built.upserts]
        removals: list[ResourceKey] = []
        for gone in built.removals:
            key = ResourceKey(gone.type, gone.name, gone.variant)
            self._carried.pop(key, None)
            if key.type in _LINGERING:
                self._lingering[key] = now + self._linger
            else:
                removals.append(key)
        for resource in upserts:
            self._lingering.pop(resource.key, None)
        self._cache.publish(upserts, removals)

    def sweep(self, now: float) -> float | None:
        """Remove what has lingered long enough; return when the next one is due."""
        over = [key for key, until in self._lingering.items() if until <= now]
        for key in over:
            del self._lingering[key]
        if over:
            self._cache.publish((), over)
        return min(self._lingering.values(), default=None)

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

    def seen(self, type_: ResourceType, group: Group) -> Mapping[str, Resource]:
        """Return what nodes of a group see of a type now, by name."""
        snapshot = self._cache.latest()
        return snapshot.view(type_, group).all() if snapshot is not None else {}

    def _resource(self, output: Output) -> Resource:
        # A listener that changes warms until it has its routes again (xDS protocol, "Resource warming").
        warms = (naming.routes_of(output.name),) if output.type is ResourceType.LISTENER else None
        resource = Resource.of(output.type, output.name, output.value, output.variant, warms=warms)
        if output.weights:
            versions = self._carried.setdefault(resource.key, OrderedDict())
            versions[resource.version] = output.weights
            versions.move_to_end(resource.version)
            while len(versions) > HISTORY:
                versions.popitem(last=False)
        return resource


def _gateways(gateways: Iterable[Gateway], env: str) -> tuple[Gateway, ...]:
    return tuple(sorted((g for g in gateways if g.key.env == env), key=lambda gateway: gateway.key))
