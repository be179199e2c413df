"""Instances that drift from what their set declared: who they are now, and the alarm for each service of theirs."""

from __future__ import annotations

from collections.abc import Iterable

from xds.control.alarms import Alarms
from xds.control.ports import Entry
from xds.model.alarm import Alarm
from xds.model.drift import drift
from xds.model.instance import Instance
from xds.model.intent import INSTANCE, Intent
from xds.model.names import ServiceKey

SOURCE = "drift"
MOST = 3  # instances that an alarm names


class Drifting:
    """Follows what is committed, and remembers who drifts."""

    def __init__(self, intent: Intent) -> None:
        """Read `intent`; nobody drifts yet."""
        self._intent = intent
        self._members: dict[str, ServiceKey] = {}
        self._changed = False

    def restored(self) -> None:
        """Take up what drifted before a restart."""
        for instance in self._intent.instances.values():
            self._judge(instance.id, instance)

    def committed(self, entries: Iterable[Entry]) -> None:
        """Take note of instances that came, changed or went."""
        for entry in entries:
            if entry.name.kind is INSTANCE:
                self._judge(entry.name.key, entry.after if isinstance(entry.after, Instance) else None)

    def take(self) -> list[Alarm] | None:
        """Return the alarms that stand now, None when nothing changed since they were last taken."""
        if not self._changed:
            return None
        self._changed = False
        by_service: dict[ServiceKey, list[str]] = {}
        for member, key in sorted(self._members.items()):
            by_service.setdefault(key, []).append(member)
        return [self._alarm(key, members) for key, members in by_service.items()]

    def _judge(self, member: str, instance: Instance | None) -> None:
        if instance is not None and instance.declared and drift(instance):
            self._members[member] = instance.service
            self._changed = True
        elif self._members.pop(member, None) is not None:
            self._changed = True

    def _alarm(self, key: ServiceKey, members: list[str]) -> Alarm:
        told = [f"{member} ({self._words(member)})" for member in members[:MOST]]
        rest = f" and {len(members) - MOST} more" if len(members) > MOST else ""
        whose = self._intent.instances[members[0]].owner
        return Alarm("drift", str(key), f"not as {whose} declares: {', '.join(told)}{rest}")

    def _words(self, member: str) -> str:
        found = drift(self._intent.instances[member])
        return "; ".join(f"{each.label} is {each.found or 'missing'}, not {each.declared}" for each in found)


class DriftAlarms:
    """Raises an alarm for each service with an instance that drifts; a look costs nothing while nothing changes."""

    def __init__(self, alarms: Alarms, drifting: Drifting) -> None:
        """Read `drifting`, raise in `alarms`."""
        self._alarms = alarms
        self._drifting = drifting

    async def look(self) -> None:
        """Bring the board up to date."""
        if (found := self._drifting.take()) is not None:
            self._alarms.set(SOURCE, found)
