"""Whose word stands about which instance, what they come to, and when that may change.

Sources speak through `hear`; the loop applies what it returns to the intent. It knows no source by more than its name,
and of time only what it is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from xds.control.damping import Damping
from xds.control.ports import Entry
from xds.model.alarm import Alarm, Priority
from xds.model.fusion import CHECK, Verdict, fuse
from xds.model.health import Health
from xds.model.instance import Instance
from xds.model.intent import INSTANCE, Declared, Intent
from xds.model.signal import Signal

NAMED: Final = 20
"""Unstable instances that are named one by one in alarms; the others are many."""

Word = tuple[str, str]
"""A source and the id of an instance."""
Noted = Callable[[str, Health, Verdict], None]
"""Told of an instance whose health changes: its id, what it was, and what it is now and why."""


class HealthBoard:
    """Every word that stands, by instance and source."""

    def __init__(self, intent: Intent, noted: Noted = lambda *_: None) -> None:
        """Start with nobody having said anything."""
        self._intent = intent
        self._noted = noted
        self._words: dict[str, dict[str, Signal]] = {}
        self._damping = Damping()

    def hear(self, said: Mapping[Word, Signal | None], now: float) -> dict[str, Health]:
        """Note what sources say, or take back (None); return whose health changes now, and to what."""
        touched: dict[str, None] = {}
        for (source, member), signal in said.items():
            if member not in self._intent.instances:
                continue
            words = self._words.setdefault(member, {})
            if signal is None:
                words.pop(source, None)
            else:
                words[source] = signal
            touched[member] = None
        return self._changes(touched, now)

    def committed(self, entries: Sequence[Entry], now: float) -> dict[str, Health]:
        """Forget who went; return the health of those who have no check any more that they would have to pass."""
        freed: list[str] = []
        for entry in entries:
            before, after, member = entry.before, entry.after, entry.name.key
            if entry.name.kind is not INSTANCE:
                continue
            if after is None:
                self._words.pop(member, None)
                self._damping.forget(member)
            elif _checked(before) and not _checked(after):
                self._words.get(member, {}).pop(CHECK, None)
                freed.append(member)
        return self._changes(freed, now)

    def due(self, now: float) -> dict[str, Health]:
        """Return whose health had to wait until now, and what it changes to."""
        found = dict(self._damping.released(now))
        changes = {member: health for member, health in found.items() if member in self._intent.instances}
        for member in changes:
            self._note(member)
        return changes

    @property
    def deadline(self) -> float | None:
        """Return when `due` is to be asked again."""
        return self._damping.next

    def flaps(self, member: str, now: float) -> bool:
        """Say whether an instance keeps changing, so that nothing about it is urgent."""
        return self._damping.flaps(member, now)

    def words(self, member: str) -> Mapping[str, Signal]:
        """Return what stands about an instance, by source."""
        return self._words.get(member, {})

    def verdict(self, member: str) -> Verdict:
        """Return what the words about an instance come to now; its effective health may have to wait."""
        instance = self._intent.instances.get(member)
        starts = self._intent.health(member) is Health.STARTING
        return fuse(self.words(member), gated=starts and instance is not None and instance.check is not None)

    def alarms(self, now: float) -> list[Alarm]:
        """Return who keeps changing, who is unstable, and the services of which nobody is healthy."""
        ailing = self._intent.ailing.table
        flapping = [
            Alarm("flapping", member, f"its health keeps changing: {self.verdict(member).signal.why}")
            for member in self._damping.flapping(now)
        ]
        unstable = [member for member, health in ailing.items() if health is Health.UNSTABLE]
        notes = [Alarm("unstable", m, self.verdict(m).signal.why, Priority.NOTE) for m in sorted(unstable)[:NAMED]]
        if len(unstable) > NAMED:
            notes.append(Alarm("unstable", "others", f"{len(unstable) - NAMED} more instances", Priority.NOTE))
        return [*flapping, *notes, *self._floors(ailing)]

    def _floors(self, ailing: Mapping[str, Health]) -> Iterator[Alarm]:
        """Yield the services whose instances are ill one and all; Envoys then try all of them."""
        ill = (member for member, health in ailing.items() if health is Health.UNHEALTHY)
        services = {found.service for member in ill if (found := self._intent.instances.get(member)) is not None}
        for key in sorted(services):
            members = self._intent.members_of(key)
            if not any(self._intent.health(member).serves for member in members):
                text = f"none of {len(members)} instances is healthy: Envoys try all that are not starting"
                yield Alarm("floor", str(key), text, Priority.PAGE)

    def _changes(self, members: Iterable[str], now: float) -> dict[str, Health]:
        changes: dict[str, Health] = {}
        for member in members:
            wanted = self.verdict(member).health
            if self._damping.want(member, self._intent.health(member), wanted, now):
                self._note(member)
                changes[member] = wanted
        return changes

    def _note(self, member: str) -> None:
        self._noted(member, self._intent.health(member), self.verdict(member))


def noting(note: Callable[[str, str, object, object, str, str], None]) -> Noted:
    """Return what writes changes of health down by `note`, a line of the journal each."""

    def noted(member: str, before: Health, verdict: Verdict) -> None:
        after = {"health": verdict.health, "numbers": dict(verdict.signal.numbers)}
        note("health", member, {"health": before}, after, verdict.source, verdict.signal.why)

    return noted


def _checked(declared: Declared | None) -> bool:
    return isinstance(declared, Instance) and declared.check is not None
