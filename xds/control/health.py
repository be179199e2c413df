"""Whose word stands about which instance, and what they come to.

Sources speak through `hear`; the loop applies what changed to the intent. It knows no source, and of time only what
it is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xds.control.ports import Entry
from xds.model.fusion import fuse
from xds.model.health import Health
from xds.model.instance import Instance
from xds.model.intent import Intent, Kind
from xds.model.signal import Signal

CHECK = "check"
"""The source that opens the gate: an instance with a check is STARTING until this one says that it is healthy."""

Word = tuple[str, str]
"""A source and the id of an instance."""


class HealthBoard:
    """Every word that stands, by instance and source."""

    def __init__(self, intent: Intent) -> None:
        """Start with nobody having said anything."""
        self._intent = intent
        self._words: dict[str, dict[str, Signal]] = {}

    def hear(self, said: Mapping[Word, Signal | None]) -> dict[str, Health]:
        """Note what sources say, or take back (None); return the health of those instances about whom it was."""
        touched: dict[str, Health] = {}
        for (source, member), signal in said.items():
            instance = self._intent.instances.get(member)
            if instance is None:
                continue
            words = self._words.setdefault(member, {})
            if signal is None:
                words.pop(source, None)
            else:
                words[source] = signal
            touched[member] = self._effective(instance)
        return touched

    def committed(self, entries: Sequence[Entry]) -> dict[str, Health]:
        """Forget what was said of instances that went; return the health of those that need no check any more."""
        freed: dict[str, Health] = {}
        for entry in entries:
            before, after, member = entry.before, entry.after, entry.name.key
            if entry.name.kind is not Kind.INSTANCE:
                continue
            if after is None:
                self._words.pop(member, None)
            elif (
                isinstance(before, Instance)
                and before.check is not None
                and self._intent.instances[member].check is None
            ):
                self._words.get(member, {}).pop(CHECK, None)
                freed[member] = self._effective(self._intent.instances[member])
        return freed

    def words(self, member: str) -> Mapping[str, Signal]:
        """Return what stands about an instance, by source."""
        return self._words.get(member, {})

    def _effective(self, instance: Instance) -> Health:
        words = self._words.get(instance.id, {})
        if instance.check is not None and self._intent.health(instance.id) is Health.STARTING:
            check = words.get(CHECK)
            if check is None or check.health is not Health.HEALTHY:
                return Health.STARTING
        decided = fuse(words)
        return Health.HEALTHY if decided is None else decided[1].health
