"""The overlays that stand, and what they make of instances and services.

Of two acts on one instance a drain beats a weight, and of two of a kind the later word holds. Without overlays
nothing here costs anything; with some, an instance costs a look at each that could be about its service.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import replace
from typing import NamedTuple

from xds.model.health import Health
from xds.model.instance import Instance
from xds.model.names import ServiceKey
from xds.model.overlay import Act, Overlay
from xds.model.selector import Operator, Selector
from xds.model.service import Service
from xds.model.split import Split
from xds.model.view import Member


class _Reach(NamedTuple):
    """An act on instances, with what rules most instances out at once: None where the selector does not say."""

    overlay: Overlay
    services: Set[str] | None
    ids: Set[str] | None


class Overlays:
    """A table with one owner; `over` and `pinned` lay it over what is declared."""

    def __init__(self) -> None:
        """Start without any."""
        self._by_id: dict[str, Overlay] = {}
        self._acts: list[_Reach] = []  # those on instances, the latest word first
        self._pins: dict[ServiceKey, Overlay] = {}

    def __iter__(self) -> Iterator[Overlay]:
        """Go through all that stand."""
        return iter(self._by_id.values())

    def get(self, overlay: str) -> Overlay | None:
        """Return the overlay of that id, or None."""
        return self._by_id.get(overlay)

    def replace(self, overlay: str, after: Overlay | None) -> None:
        """Let `after` stand under an id, None for nothing."""
        if after is None:
            self._by_id.pop(overlay, None)
        else:
            self._by_id[overlay] = after
        latest = sorted(self._by_id.values(), key=lambda each: (each.since, each.id), reverse=True)
        self._acts = [_reach(each) for each in latest if each.pinned is None]
        self._pins = {}
        for each in latest:
            if each.pinned is not None:
                self._pins.setdefault(each.pinned, each)

    def over(self, member: Member) -> Member:
        """Return a member as the overlays have it; one that is leaving, or not in traffic yet, stays as it is."""
        if not self._acts or member.leaving or member.health is Health.STARTING:
            return member
        for overlay in self.on(member.instance):
            if overlay.act is Act.DRAIN:
                return member._replace(health=Health.DRAINING)
            return member._replace(weighed=overlay.weight)
        return member

    def on(self, instance: Instance) -> list[Overlay]:
        """Return the acts that pick an instance, the one that decides first."""
        found: list[Overlay] = []
        if self._acts:
            key, facts = instance.service, instance.facts
            found = [
                overlay
                for overlay, services, ids in self._acts
                if overlay.env == key.env
                and (services is None or key.name in services)
                and (ids is None or instance.id in ids)
                and overlay.selector.matches(facts)
            ]
        return sorted(found, key=lambda each: each.act is not Act.DRAIN)  # stable: the latest word of each act first

    def pin(self, key: ServiceKey) -> Overlay | None:
        """Return what pins a service's users, or None."""
        return self._pins.get(key)

    def pinned(self, service: Service) -> Service:
        """Return a service whose users are pinned with all of them at one version; any other as it is."""
        pin = self._pins.get(service.key)
        if pin is None:
            return service
        split = Split.whole(pin.version, key=service.split.key, salt=service.split.salt)
        return replace(service, split=split, preview=None)


def _reach(overlay: Overlay) -> _Reach:
    return _Reach(overlay, _named(overlay.selector, "service"), _named(overlay.selector, "id"))


def _named(selector: Selector, key: str) -> Set[str] | None:
    """Return the values to which a selector confines a fact, None where it does not."""
    found: frozenset[str] | None = None
    for requirement in selector.requirements:
        if requirement.key == key and requirement.operator is Operator.IN:
            found = frozenset(requirement.values) if found is None else found & frozenset(requirement.values)
    return found
