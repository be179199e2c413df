"""Endpoints as they are seen from a place: the nearest zone first, then the region, then the rest, as priorities.

Only services whose instances say where they run have such a variant, and only for places where Envoys are: for all
others nothing changes. A variant that is there once stays as long as its place is in use: what lingers of it would be
older than the environment's own, and hide it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from xds.model.node import place_variant
from xds.wire.types import ResourceType

from . import naming
from .endpoints import Locality
from .outputs import Ledger, OutputKey
from .product import Product

_Made = Mapping[str, bytes]


class Localities:
    """The endpoints of one environment, once more for each place in use."""

    def __init__(self, env: str, ledger: Ledger) -> None:
        """Start without a place."""
        self._env = env
        self._ledger = ledger
        self._made: dict[Locality, dict[str, _Made]] = {}

    def settle(self, products: Mapping[str, Product], dirty: Set[str], places: Set[Locality]) -> None:
        """Bring every place in use up to date: with all of `products` where it is new, with the `dirty` otherwise."""
        dropped: set[OutputKey] = set()
        put: dict[OutputKey, bytes] = {}
        for place in self._made.keys() - places:
            for made in self._made.pop(place).values():
                dropped |= self._keys(place, made)
        for place in places:
            services = dirty if place in self._made else products.keys()
            standing = self._made.setdefault(place, {})
            for service in services:
                before, product = standing.pop(service, {}), products.get(service)
                after = _seen_from(place, product) if product and (before or product.endpoints.has_places) else {}
                if after:
                    standing[service] = after
                dropped |= self._keys(place, before.keys() - after.keys())
                put |= {self._key(place, name): value for name, value in after.items() if before.get(name) != value}
        for key in dropped - put.keys():
            self._ledger.drop(key)
        for key, value in put.items():
            self._ledger.put(key, value)

    def _keys(self, place: Locality, names: Iterable[str]) -> set[OutputKey]:
        return {self._key(place, name) for name in names}

    def _key(self, place: Locality, name: str) -> OutputKey:
        return OutputKey(ResourceType.ENDPOINT, name, place_variant(self._env, *place))


def _seen_from(place: Locality, product: Product) -> _Made:
    """Return a service's assignments as they are for Envoys at `place`, by cluster."""
    shape, made = product.shape, dict[str, bytes]()
    for subset in shape.subsets:
        for port in ("", *shape.ports):
            name = naming.cluster(shape.service.key.name, subset, port)
            made[name] = product.endpoints.assignment(name, subset, port, elsewhere=shape.anybody, place=place)
    return made
