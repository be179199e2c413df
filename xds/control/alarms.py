"""The board of alarms: each source says what is wrong in its part now, listeners hear what is new and what is over.

It decides nothing about delivery, and never calls a listener for an alarm whose words alone have changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from xds.model.alarm import Alarm

Heard = Callable[[Alarm, bool], None]
"""Called with an alarm, and whether it is raised (True) or over (False)."""

_Name = tuple[str, str]


class Alarms:
    """Who raises what. A source replaces all of its alarms at once, so that none outlives its reason."""

    def __init__(self, wall: Callable[[], datetime] | None = None) -> None:
        """Start with everything quiet; `wall` tells the time, for people."""
        self._wall = wall
        self._by_source: dict[str, dict[_Name, Alarm]] = {}
        self._since: dict[_Name, str] = {}
        self._listeners: list[Heard] = []

    def listen(self, heard: Heard) -> None:
        """Call `heard` from now on for each alarm that is raised or over."""
        self._listeners.append(heard)

    def set(self, source: str, alarms: Iterable[Alarm]) -> None:
        """Replace what `source` raised so far."""
        before = self._by_source.get(source, {})
        after = {(alarm.kind, alarm.object): alarm for alarm in alarms}
        self._by_source[source] = after
        for name in after.keys() - before.keys():
            if self._wall is not None:
                self._since[name] = self._wall().isoformat(timespec="milliseconds")
            self._tell(after[name], raised=True)
        for name in before.keys() - after.keys():
            self._since.pop(name, None)
            self._tell(before[name], raised=False)

    def since(self, alarm: Alarm) -> str:
        """Return when an alarm was raised, as text; "" when that is not known."""
        return self._since.get((alarm.kind, alarm.object), "")

    @property
    def standing(self) -> tuple[Alarm, ...]:
        """Return every alarm that stands now, the most urgent first."""
        found = {alarm for alarms in self._by_source.values() for alarm in alarms.values()}
        return tuple(sorted(found, key=lambda alarm: (alarm.priority, alarm)))

    def _tell(self, alarm: Alarm, *, raised: bool) -> None:
        for heard in self._listeners:
            heard(alarm, raised)
