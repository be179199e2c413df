"""Leases over an intent that follows what they decide, on a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from tests.harness.declared import WEB, instance
from xds.control.ports import Entry
from xds.model.check import Check
from xds.model.health import Health
from xds.model.intent import Declared, Intent, Kind, Ref, ref
from xds.model.names import ServiceKey
from xds.model.signal import Signal
from xds.sources.leases import ACTOR, Pass, WheelLeases
from xds.sources.preservation import Rules

TTL = 10.0


class Time:
    """A clock that is moved by hand; its wall clock jumps where it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._wall = datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> datetime:
        return self._wall

    def step_wall(self, hours: float) -> None:
        self._wall += timedelta(hours=hours)


class Asked:
    """Probes whose answers a test gives."""

    def __init__(self) -> None:
        self.suspected: list[str] = []
        self.verdicts: dict[str, bool] = {}

    def suspect(self, members: Iterable[str]) -> None:
        self.suspected += members

    def verdict(self, member: str, since: float) -> bool | None:
        return self.verdicts.get(member) if member in self.suspected else None


class House:
    """A registry of leases; whom a pass removes is removed, with the reason in `reasons`."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.time = Time()
        self.intent = Intent()
        self.leases = WheelLeases(self.time, rules)
        self.leases.probes = self.probes = Asked()
        self.words: dict[str, Signal | None] = {}
        self.reasons: dict[str, tuple[str, bool]] = {}
        self.last = Pass((), {}, ())

    def put(self, *objects: Declared) -> None:
        self._commit({ref(each): each for each in objects})

    def register(
        self, *names: str, ttl: float | None = TTL, service: ServiceKey = WEB, check: Check | None = None
    ) -> None:
        self.put(*[instance(name, service=service, ttl=ttl, check=check) for name in names])

    def remove(self, *names: str, actor: str = "api:test") -> None:
        self._commit({Ref(Kind.INSTANCE, name): None for name in names}, actor)

    def after(self, seconds: float, *, late: bool = False) -> list[str]:
        """Let time pass and make a pass; who was removed by it."""
        self.time.now += seconds
        self.last = self.leases.lapse(self.intent, late=late)
        self.words.update(self.last.said)
        self.reasons.update({gone.member: (gone.reason, gone.absence) for gone in self.last.gone})
        removed = [gone.member for gone in self.last.gone]
        self.remove(*removed, actor=ACTOR)
        return removed

    def said(self, name: str) -> Health | None:
        """What the leases say of an instance's health now."""
        word = self.words.get(name)
        return None if word is None else word.health

    def alarms(self) -> set[tuple[str, str]]:
        return {(alarm.kind, alarm.object) for alarm in self.last.alarms}

    def _commit(self, writes: Mapping[Ref, Declared | None], actor: str = "api:test") -> None:
        entries = [Entry(name, self.intent.get(name), after, actor) for name, after in writes.items()]
        self.intent.commit(writes, self.intent.revision + 1)
        self.leases.committed(entries)
