"""Overlays that end by themselves: until when each stands, and taking it back when that is over.

While the process runs, deadlines are monotonic. A restart has only the clock of the wall to ask how much of the time
is left. It is believed within the time that was given: a clock that jumped meanwhile ends an overlay too early or
gives it its whole time once more, and never more than that.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from xds.control.ports import Entry
from xds.model.declare import Declaration, Delete
from xds.model.intent import Intent, Kind, ref
from xds.model.overlay import Overlay

ACTOR = "overlay"
_OVERLAY: Final = Kind.OVERLAY  # as INSTANCE has a name of its own, for the same reason


def left(lasts: float, until: datetime | None, wall: datetime) -> float:
    """Return how many seconds are left of `lasts` for what ends at `until`."""
    return lasts if until is None else max(0.0, min(lasts, (until - wall).total_seconds()))


class Expiries:
    """The deadlines of overlays."""

    def __init__(self, intent: Intent) -> None:
        """Start without any."""
        self._intent = intent
        self._until: dict[str, float] = {}

    def restored(self, now: float, wall: datetime) -> None:
        """Take up what stood before a restart."""
        for overlay in self._intent.overlays:
            if overlay.lasts is not None:
                self._until[overlay.id] = now + left(overlay.lasts, overlay.until, wall)

    def committed(self, entries: Iterable[Entry], now: float) -> None:
        """Take note of overlays that came, were said again, or went."""
        for entry in entries:
            if entry.name.kind is not _OVERLAY:
                continue
            self._until.pop(entry.name.key, None)
            if isinstance(entry.after, Overlay) and entry.after.lasts is not None:
                self._until[entry.name.key] = now + entry.after.lasts

    def look(self, now: float) -> tuple[tuple[Declaration, ...], float | None]:
        """Return what takes back whose time is over, and when to look again (None: not before there is a new one)."""
        over = [overlay for overlay, until in self._until.items() if until <= now]
        waiting = min((until for until in self._until.values() if until > now), default=None)
        return tuple(filter(None, map(self._taken_back, over))), waiting

    def remaining(self, overlay: str, now: float) -> float | None:
        """Return for how long an overlay still stands, None when that has no end."""
        until = self._until.get(overlay)
        return None if until is None else max(0.0, until - now)

    def _taken_back(self, overlay: str) -> Declaration | None:
        found = self._intent.overlays.get(overlay)
        if found is None:
            return None
        return Declaration(Delete(ref(found)), ACTOR, "its time is over", operator=True)
