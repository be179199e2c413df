"""Breakers that operators force for a time: who is held until when, and giving them back when it is over.

Deadlines are monotonic; what a restart goes by is the same as for overlays (`expiries`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from xds.control.expiries import left
from xds.control.ports import Entry
from xds.model.breaker import Forced
from xds.model.declare import Declaration, ForceBreaker
from xds.model.intent import Intent
from xds.model.names import ServiceKey
from xds.model.service import Service

ACTOR = "breaker"

_Place = tuple[ServiceKey, str]  # service, subset


class Forces:
    """The deadlines of what is forced for a time."""

    def __init__(self, intent: Intent) -> None:
        """Start without any."""
        self._intent = intent
        self._until: dict[_Place, float] = {}

    def restored(self, now: float, wall: datetime) -> None:
        """Take up what was forced before a restart."""
        for service in self._intent.services.values():
            for subset, held in service.forced.items():
                if held.lasts is not None:
                    self._until[service.key, subset] = now + left(held.lasts, held.until, wall)

    def committed(self, entries: Iterable[Entry], now: float) -> None:
        """Take note of what was forced or given back."""
        for entry in entries:
            if isinstance(entry.after, Service):
                before = entry.before.forced if isinstance(entry.before, Service) else {}
                self._note(entry.after.key, before, entry.after.forced, now)
            elif isinstance(entry.before, Service):
                self._note(entry.before.key, entry.before.forced, {}, now)

    def look(self, now: float) -> tuple[tuple[Declaration, ...], float | None]:
        """Return what gives back whose time is over, and when to look again (None: not before something is forced)."""
        over = [place for place, until in self._until.items() if until <= now]
        waiting = min((until for until in self._until.values() if until > now), default=None)
        return tuple(_released(*place) for place in over), waiting

    def remaining(self, service: ServiceKey, subset: str, now: float) -> float | None:
        """Return for how long a breaker is still forced, None when that has no end."""
        until = self._until.get((service, subset))
        return None if until is None else max(0.0, until - now)

    def _note(self, service: ServiceKey, before: Mapping[str, Forced], after: Mapping[str, Forced], now: float) -> None:
        for subset in before.keys() | after.keys():
            held = after.get(subset)
            if held is not None and held == before.get(subset):
                continue
            self._until.pop((service, subset), None)
            if held is not None and held.lasts is not None:
                self._until[service, subset] = now + held.lasts


def _released(service: ServiceKey, subset: str) -> Declaration:
    return Declaration(ForceBreaker(service, subset), ACTOR, "the time it was forced for is over", operator=True)
