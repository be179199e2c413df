"""The intent: everything that is desired and known, in one mutable aggregate with one owner.

It applies what was committed and answers with frozen views. It validates nothing (`declare.py` did), persists
nothing and publishes nothing. Tables are plain dictionaries; one change costs its service, not the registry.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from xds.model.ailing import Ailing
from xds.model.declared import INSTANCE, Declared, Kind, Ref, ref
from xds.model.gateway import Gateway
from xds.model.health import HEALTHY, Health
from xds.model.index import LabelIndex
from xds.model.instance import Instance
from xds.model.leaving import empties
from xds.model.members import Members
from xds.model.names import Key, ServiceKey
from xds.model.overlay import Overlay
from xds.model.overlays import Overlays
from xds.model.policy import Policies, ServicePolicy
from xds.model.rollout import Rollout
from xds.model.route import Route
from xds.model.selector import Selector
from xds.model.service import Service
from xds.model.view import Member, ServiceView

__all__ = ["INSTANCE", "Declared", "Dirty", "Intent", "Kind", "Ref", "ref"]

_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(slots=True)
class Dirty:
    """What must be translated again: services, and environments whose gateways changed."""

    services: set[ServiceKey] = field(default_factory=set)
    gateways: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        """Say whether anything is to be done."""
        return bool(self.services or self.gateways)


class Intent:
    """The tables, their indexes, and what changed since `take_dirty` was last called."""

    def __init__(self) -> None:
        """Start empty, at revision 0."""
        self.revision = 0
        self.instances: dict[str, Instance] = {}
        self.services: dict[ServiceKey, Service] = {}
        self.routes: dict[Key, Route] = {}
        self.gateways: dict[Key, Gateway] = {}
        self.rollouts: dict[str, Rollout] = {}
        self.overlays = Overlays()
        self.policies = Policies()
        self.revisions: dict[Ref, int] = {}
        self.index = LabelIndex(self.instances)
        self.ailing = Ailing()
        self._leaving: dict[str, Instance] = {}
        self._held: dict[str, Member] = {}
        self._members: dict[ServiceKey, Members] = {}
        self._routes_of: dict[ServiceKey, set[Key]] = {}
        self._stale: dict[ServiceKey, None] = {}  # in the order in which they became so
        self._stale_gateways: set[str] = set()

    # -- reading ------------------------------------------------------------------------------------------------

    def get(self, name: Ref) -> Declared | None:
        """Return the declared object of that name, or None."""
        if name.kind is INSTANCE:
            return self.instances.get(name.key)
        match name.kind:
            case Kind.SERVICE:
                return self.services.get(ServiceKey(*name.key.split("/", 1)))
            case Kind.ROUTE:
                return self.routes.get(Key(*name.key.split("/", 1)))
            case Kind.GATEWAY:
                return self.gateways.get(Key(*name.key.split("/", 1)))
            case Kind.ROLLOUT:
                return self.rollouts.get(name.key)
            case Kind.OVERLAY:
                return self.overlays.get(name.key)
            case Kind.POLICY:
                return self.policies.by_key.get(Key(*name.key.split("/", 1)))

    def health(self, instance_id: str) -> Health:
        """Return what was last observed of an instance; healthy until somebody observes otherwise."""
        return self.ailing.of(instance_id)

    def members_of(self, key: ServiceKey) -> Collection[str]:
        """Return the ids registered for a service."""
        members = self._members.get(key)
        return frozenset() if members is None else members.registered

    def routes_of(self, key: ServiceKey) -> list[Route]:
        """Return the routes of a service, by name."""
        return [self.routes[name] for name in sorted(self._routes_of.get(key, ()))]

    def select(self, selector: Selector) -> list[Instance]:
        """Return the instances that match, by id."""
        return [self.instances[member] for member in sorted(self.index.select(selector))]

    def rollout_of(self, key: ServiceKey) -> Rollout | None:
        """Return the rollout in progress of a service, if there is one."""
        return next((r for r in self.rollouts.values() if r.service == key and not r.phase.is_over), None)

    def view(self, key: ServiceKey) -> ServiceView | None:
        """Return a frozen view of a service, or None when nothing declares it."""
        service = self.services.get(key)
        if service is None:
            return None
        service, members = self.overlays.pinned(service), self._members.get(key) or Members()
        subsets = members.subsets(service.subsets)
        routes, policies = tuple(self.routes_of(key)), self.policies.of(service)
        return ServiceView(service, members.everybody, subsets, routes, policies)

    # -- changing -----------------------------------------------------------------------------------------------

    def commit(
        self, writes: Mapping[Ref, Declared | None], revision: int, absent: Collection[Ref] = frozenset()
    ) -> None:
        """Apply what a store has committed as `revision`; None removes, and only holds an instance among `absent`."""
        self.revision = revision
        for name, declared in writes.items():
            before = self.get(name)
            if declared is None:
                self.revisions.pop(name, None)
            else:
                self.revisions[name] = revision
            if name in absent and isinstance(before, Instance):
                self._held[name.key] = Member(before, self.health(name.key), held=True)
            elif declared is None and name.kind is INSTANCE:
                self.release(name.key)
            self._replace(name, before, declared)

    def restore(self, declared: Iterable[tuple[Declared, int]], revision: int) -> None:
        """Load everything that a store holds, each object with its own revision."""
        for item, at in declared:
            name = ref(item)
            self.revisions[name] = at
            self._replace(name, self.get(name), item)
        self.revision = revision

    def observe_health(self, seen: Mapping[str, Health]) -> bool:
        """Note what was observed of instances that are still known; say whether any of it is new."""
        new = {m: health for m, health in seen.items() if m in self.instances and health != self.health(m)}
        for member, health in new.items():
            self.ailing.note(member, health)
            self._seat(member, self.instances[member].service)
        return bool(new)

    @property
    def leaving(self) -> Mapping[str, Instance]:
        """Return the instances that are gone but still in EDS because a published route may want them."""
        return self._leaving

    @property
    def held(self) -> Mapping[str, Member]:
        """Return the instances that are gone by absence alone, and are served until somebody lets them go."""
        return self._held

    def standing(self, name: Ref) -> Declared | None:
        """Return the declared object of that name, or the instance that is gone and held."""
        held = self._held.get(name.key) if name.kind is INSTANCE else None
        return self.get(name) or (held.instance if held else None)

    def remain(self, leaving: Iterable[Instance], held: Iterable[Member]) -> None:
        """Take over who was leaving and who was held before a restart, as far as nobody has declared them."""
        self._leaving |= {gone.id: gone for gone in leaving if gone.id not in self.instances}
        self._held |= {gone.instance.id: gone for gone in held if gone.instance.id not in self.instances}
        for instance in (*self._leaving.values(), *(gone.instance for gone in self._held.values())):
            self._seat(instance.id, instance.service)

    def release(self, member: str) -> None:
        """Let an instance go that is leaving or held; a held one may have to leave yet."""
        if instance := self._leaving.pop(member, None):
            self._seat(member, instance.service)
        if held := self._held.pop(member, None):
            service = held.instance.service
            self._seat(member, service)
            if held.serves and self._was_last(held.instance):
                self._leaving[member] = held.instance
                self._seat(member, service)

    @property
    def stale(self) -> Collection[ServiceKey]:
        """Return the services that changed and were not taken yet, the oldest first."""
        return self._stale.keys()

    def take_dirty(self, only: Collection[ServiceKey] = (), most: int | None = None) -> Dirty:
        """Return what changed and was not taken yet, and forget it: of services `only` these, or the `most` oldest."""
        wanted = [key for key in only if key in self._stale] if only else [*islice(self._stale, most)]
        for key in wanted:
            del self._stale[key]
        gateways, self._stale_gateways = self._stale_gateways, set()
        return Dirty(set(wanted), gateways)

    # -- one table each -----------------------------------------------------------------------------------------

    def _replace(self, name: Ref, before: Declared | None, after: Declared | None) -> None:
        match after or before:
            case Instance():
                self._replace_instance(name.key, before, after)  # type: ignore[arg-type]  # the kind of a Ref is that of its object
            case Service(key=key):
                _set(self.services, key, after)
                self._stale[key] = None
            case Route(key=key):
                _set(self.routes, key, after)
                if isinstance(before, Route):
                    _drop(self._routes_of, before.service, key)
                    self._stale[before.service] = None
                if isinstance(after, Route):
                    self._routes_of.setdefault(after.service, set()).add(key)
                    self._stale[after.service] = None
            case Gateway(key=key):
                _set(self.gateways, key, after)
                self._stale_gateways.add(key.env)
            case Rollout(id=rollout):
                _set(self.rollouts, rollout, after)
            case Overlay(id=overlay):
                acts = [each for each in (before, after) if isinstance(each, Overlay)]
                touched = {found for act in acts for found in self._picked(act)}
                self.overlays.replace(overlay, after if isinstance(after, Overlay) else None)
                self._stale.update({pinned: None for act in acts if (pinned := act.pinned) is not None})
                for member, service in touched:
                    self._seat(member, service)
            case ServicePolicy(key=key):
                picks = [each.picks for each in (before, after) if isinstance(each, ServicePolicy)]
                self._stale.update({at: None for at, each in self.services.items() if any(one(each) for one in picks)})
                self.policies.replace(key, after if isinstance(after, ServicePolicy) else None)

    def _picked(self, overlay: Overlay) -> Iterator[tuple[str, ServiceKey]]:
        """Yield the members that an overlay is about now, each with its service; none for a pin."""
        if overlay.pinned is None:
            yield from ((member, self.instances[member].service) for member in self.index.select(overlay.within))
            held = ((member, each.instance) for member, each in self._held.items())
            yield from ((member, gone.service) for member, gone in held if overlay.within.matches(gone.facts))

    def _replace_instance(self, member: str, before: Instance | None, after: Instance | None) -> None:
        self.index.replace(member, before, after)
        self.ailing.start(before, after, self._held.get(member))
        if after is not None:
            self.instances[member] = after
            self._leaving.pop(member, None)
            self._held.pop(member, None)
            self._seat(member, after.service)
        if before is not None and (after is None or after.service != before.service):
            served = self.overlays.over(Member(before, self.health(member))).serves
            if after is None:
                del self.instances[member]
                self.ailing.forget(member)
            self._seat(member, before.service)
            if after is None and served and member not in self._held and self._was_last(before):
                self._leaving[member] = before
                self._seat(member, before.service)

    def _member(self, member: str) -> Member | None:
        """Return an instance as traffic is to see it now, None when nothing is left of it."""
        instance = self.instances.get(member)
        if instance is not None:
            return self.overlays.over(Member(instance, self.health(member)))
        leaving, held = self._leaving.get(member), self._held.get(member)
        if held is not None:
            return self.overlays.over(held)
        return Member(leaving, HEALTHY, leaving=True) if leaving else None

    def _seat(self, member: str, service: ServiceKey) -> None:
        """Let the members of a service follow what has changed about one of them."""
        self._stale[service] = None
        members = self._members.get(service)
        found = self._member(member)
        if found is not None and found.instance.service == service:
            if members is None:
                members = self._members[service] = Members()
            members.put(found)
        elif members is not None:
            members.drop(member)
            if not members:
                del self._members[service]

    def _was_last(self, gone: Instance) -> bool:
        """Say whether `gone` left a subset empty that routes send users to, while others of the service serve."""
        service, left = self.services.get(gone.service), self._members.get(gone.service)
        if service is None or left is None:
            return False
        return empties(gone, service.subsets, self.wanted(gone.service), left.serving())

    def wanted(self, key: ServiceKey) -> set[str]:
        """Return the subsets that a service's split and routes send users to."""
        service = self.services.get(key)
        wanted = set(service.split.weights) if service else set()
        for route in (self.routes[name] for name in self._routes_of.get(key, ())):
            wanted |= {route.subset, *(route.split.weights if route.split else ())}
        return wanted


def _drop(table: dict[ServiceKey, set[Key]], key: ServiceKey, item: Key) -> None:
    table[key].discard(item)
    if not table[key]:
        del table[key]


def _set(table: dict[_K, _V], key: _K, value: object) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value  # type: ignore[assignment]  # each call passes the table of the value's own class
