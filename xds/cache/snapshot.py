"""The table at one revision, immutable, and what a group of nodes sees of it.

A snapshot shares every type that did not change with the one before it. A view is made in constant time and remembers
what was computed of it (full listings, response bodies), so that streams with equal subscriptions share the work.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar, cast

from xds.wire.types import ResourceType

from .group import Group
from .resource import Resource, ResourceKey

T = TypeVar("T")

SHARED = 16
"""Results that one view keeps for its readers, the latest ones."""

VIEWS_REMEMBERED = 4096
"""Groups whose views one type remembers; beyond, it starts anew, so that groups that come and go cost nothing."""


class View(Mapping[str, Resource]):
    """What one group sees of one type at one revision: names to resources.

    Looking up a name costs one dictionary look-up per variant; iterating the first time costs the whole type.
    `revision` is the snapshot's at which this type last changed, `label` the version that the publisher gave it.
    """

    __slots__ = ("_admits", "_aliases", "_all", "_layers", "_shared", "label", "revision", "type")

    def __init__(self, table: TypeTable, group: Group) -> None:
        self.type = table.type
        self.revision = table.revision
        self.label = next((table.labels[variant] for variant in group.variants if variant in table.labels), "")
        self._shared: dict[Hashable, object] = {}
        self._layers = tuple(table.layers[variant] for variant in group.variants if variant in table.layers)
        self._aliases = tuple(table.aliases[variant] for variant in group.variants if variant in table.aliases)
        self._admits = group.admits
        self._all: dict[str, Resource] | None = None

    def __getitem__(self, name: str) -> Resource:
        """Return what this group sees under `name`; KeyError if nothing."""
        found = self.find(name)
        if found is None:
            raise KeyError(name)
        return found

    def find(self, name: str) -> Resource | None:
        """Return what this group sees under `name`, be it an alias (rule 24), or None. The cheap form of `get`."""
        for layer in self._layers:
            found = layer.get(name)
            if found is not None:
                return found if self._admits is None or self._admits(self.type, name) else None
        for aliases in self._aliases:
            if name in aliases:
                return self.find(aliases[name])
        return None

    def all(self) -> Mapping[str, Resource]:
        """Return everything this group sees, sorted by name; made once, shared by all readers."""
        if self._all is None:
            names = set[str]().union(*self._layers)
            if self._admits is not None:
                names = {name for name in names if self._admits(self.type, name)}
            self._all = {name: self._first(name) for name in sorted(names)}
        return self._all

    def shared(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what `make` returned for `key`, made once while `key` is among the latest few.

        A few are enough: after a publish all streams with equal subscriptions ask for the same one after another.
        `key` must determine the result, its type included.
        """
        if key not in self._shared:
            if len(self._shared) >= SHARED:
                del self._shared[next(iter(self._shared))]
            self._shared[key] = make()
        return cast("T", self._shared[key])

    def _first(self, name: str) -> Resource:
        return next(layer[name] for layer in self._layers if name in layer)

    def __iter__(self) -> Iterator[str]:
        """Iterate the names in order."""
        return iter(self.all())

    def __len__(self) -> int:
        """Return how many resources this group sees."""
        return len(self.all())


@dataclass(slots=True)
class Change:
    """What one publish changes in one type; `labels` are versions that the publisher gives, by variant."""

    upserts: list[Resource] = field(default_factory=list)
    removals: list[ResourceKey] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)

    def names(self, before: TypeTable) -> dict[str, set[str]]:
        """Return variant -> every name, alias or not, under which something else is seen than in `before`."""
        changed: dict[str, set[str]] = {}
        for key in (*(r.key for r in self.upserts), *self.removals):
            known = before.get(key.name, key.variant)
            changed.setdefault(key.variant, set()).update((key.name, *(known.aliases if known else ())))
        for resource in self.upserts:
            changed[resource.variant].update(resource.aliases)
        return changed

    def has_aliases(self, variant: str, before: TypeTable) -> bool:
        """Whether aliases may have changed in this variant."""
        return variant in before.aliases or any(r.aliases for r in self.upserts if r.variant == variant)


class TypeTable:
    """Every resource of one type at one revision: variant -> name -> resource, and the names of its latest changes.

    `aliases`: variant -> alias -> name. `labels`: variant -> the version that the publisher gave this type there.
    """

    __slots__ = ("_since", "_views", "aliases", "history", "labels", "layers", "revision", "type")

    HISTORY = 256
    """Publishes whose changed names are kept; a stream that slept longer compares everything it asked for."""

    def __init__(  # noqa: PLR0913 - what one revision of a type consists of
        self,
        type_: ResourceType,
        revision: int = 0,
        layers: Mapping[str, Mapping[str, Resource]] | None = None,
        history: tuple[tuple[int, frozenset[str]], ...] = (),
        aliases: Mapping[str, Mapping[str, str]] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        self.type = type_
        self.revision = revision
        self.layers: Mapping[str, Mapping[str, Resource]] = layers or {}
        self.history = history
        self.aliases: Mapping[str, Mapping[str, str]] = aliases or {}
        self.labels: Mapping[str, str] = labels or {}
        self._views: dict[Group, View] = {}
        self._since: dict[int, frozenset[str] | None] = {}

    def after(self, revision: int, change: Change) -> TypeTable:
        """Return the table at `revision` with this change; layers without one are shared."""
        layers = dict(self.layers)
        aliases = dict(self.aliases)
        mine: dict[str, dict[str, Resource]] = {}
        touched = {r.variant for r in change.upserts} | {key.variant for key in change.removals}
        for variant in touched:
            layers[variant] = mine[variant] = dict(layers.get(variant, {}))
        for key in change.removals:
            mine[key.variant].pop(key.name, None)
        for resource in change.upserts:
            mine[resource.variant][resource.name] = resource
        if any(change.has_aliases(variant, self) for variant in touched):
            for variant in touched:
                aliases[variant] = {alias: r.name for r in mine[variant].values() for alias in r.aliases}
        kept = {variant: layer for variant, layer in layers.items() if layer}
        known = {variant: names for variant, names in aliases.items() if names}
        names = frozenset().union(*change.names(self).values())
        history = (*self.history[1 - self.HISTORY :], (revision, names))
        return TypeTable(self.type, revision, kept, history, known, {**self.labels, **change.labels})

    def get(self, name: str, variant: str) -> Resource | None:
        """Return the resource under this name in this variant, or None."""
        layer = self.layers.get(variant)
        return None if layer is None else layer.get(name)

    def view(self, group: Group) -> View:
        """Return what `group` sees, always the same object for the same table."""
        view = self._views.get(group)
        if view is None:
            if len(self._views) >= VIEWS_REMEMBERED:
                self._views.clear()
            view = self._views[group] = View(self, group)
        return view

    def changed_since(self, revision: int) -> frozenset[str] | None:
        """Return the names that changed after `revision`; None if that is too long ago to know."""
        if revision >= self.revision:
            return frozenset()
        if revision not in self._since:
            newer = [names for at, names in self.history if at > revision]
            complete = len(newer) < len(self.history) or len(self.history) < self.HISTORY
            self._since[revision] = frozenset().union(*newer) if complete else None
        return self._since[revision]


class Snapshot:
    """Everything published, at one revision. Immutable: readers keep it as long as they like."""

    __slots__ = ("_tables", "revision")

    def __init__(self, revision: int = 0, tables: Mapping[ResourceType, TypeTable] | None = None) -> None:
        self.revision = revision
        self._tables = dict(tables or {})

    def table(self, type_: ResourceType) -> TypeTable:
        """Return one type's table; an empty one if nothing of that type was ever published."""
        found = self._tables.get(type_)
        if found is None:
            # Remembered although snapshots are immutable: nobody can tell, and its views stay shared.
            found = self._tables[type_] = TypeTable(type_)
        return found

    def view(self, type_: ResourceType, group: Group) -> View:
        """Return what `group` sees of `type_`; the same object in later snapshots until the type changes."""
        return self.table(type_).view(group)

    def get(self, key: ResourceKey) -> Resource | None:
        """Return the resource under exactly this key, or None."""
        return self.table(key.type).get(key.name, key.variant)

    def changed_since(self, type_: ResourceType, revision: int) -> frozenset[str] | None:
        """Return the names of `type_` that changed after `revision` in any variant; None = compare everything."""
        return self.table(type_).changed_since(revision)

    def resources(self, type_: ResourceType) -> Iterator[Resource]:
        """Iterate every resource of `type_` in every variant, in no promised order."""
        for layer in self.table(type_).layers.values():
            yield from layer.values()

    def after(self, revision: int, changes: Mapping[ResourceType, Change]) -> Snapshot:
        """Return the next snapshot; types without a change are shared."""
        tables = dict(self._tables)
        for type_, change in changes.items():
            tables[type_] = self.table(type_).after(revision, change)
        return Snapshot(revision, tables)
