"""Leases: instances with a `ttl` must say that they are alive, or they go.

Deadlines run on the monotonic clock and are never stored: after a start everybody has a full lease, and after a pass
that came late (the process was stopped, or starved) too, since we could hear nobody. Who is silent is marked and asked
by its check before anything is removed; how many may go is `preservation.py`'s knowledge. The last instance of a
service never goes by its lease alone: an empty service helps nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Protocol

from xds.control.ports import Clock, Entry, Lease
from xds.model.alarm import Alarm, Priority
from xds.model.check import CheckKind
from xds.model.health import Health
from xds.model.instance import Instance
from xds.model.intent import INSTANCE
from xds.model.names import ServiceKey
from xds.model.problems import Conflict
from xds.model.signal import Signal
from xds.sources.preservation import FLOOR, Losses, Rules, Silence, is_too_much
from xds.sources.suspicion import NoProbes, Probes

PASS = 1.0  # seconds between passes
LATE = 1.0  # a pass that is this late was not the instances' fault
EXAMINED = 2000  # silent instances that one pass looks at; the next one goes on
ALARMS = 100  # instances that have an alarm each
ACTOR = "lease"
LAPSED = Signal(Health.UNHEALTHY, "its lease ran out")


class Registry(Protocol):
    """What the leases need of the control plane."""

    def members_of(self, key: ServiceKey) -> Collection[str]:
        """Return the ids registered for a service."""
        ...


@dataclass(slots=True)
class _Held:
    """One lease. `silent` is since when it has run out, `marked` that its health was told to be bad for it."""

    service: ServiceKey
    ttl: float
    renewed: float
    checked: bool
    seq: int = 0
    slot: int = 0
    silent: float | None = None
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Gone:
    """Who is to be removed and why; `absence` when nothing but silence speaks for it."""

    member: str
    reason: str
    absence: bool


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass came to."""

    gone: tuple[Gone, ...]
    said: Mapping[str, Signal | None]
    alarms: tuple[Alarm, ...]


class WheelLeases:
    """Deadlines in a wheel with a slot for each second: a pass costs the slots that are due, not the registry.

    A renewal is one assignment and leaves the wheel alone; a lease whose slot comes up and who was renewed meanwhile is
    put into a later one. A heap would cost five times as much for that, 60 ms of every second with 100,000 leases.
    """

    def __init__(self, clock: Clock, rules: Rules | None = None) -> None:
        """Start with no leases, and nobody to ask."""
        self._clock = clock
        self._rules = rules or Rules()
        self.probes: Probes = NoProbes()
        self._held: dict[str, _Held] = {}
        self._of: Counter[ServiceKey] = Counter()
        self._wheel: dict[int, dict[str, None]] = {}
        self._silent: dict[ServiceKey, dict[str, _Held]] = {}
        self._vouched: dict[str, None] = {}  # silent, and well by their checks
        self._said: dict[str, Signal | None] = {}  # words that the next pass hands on
        self._losses = Losses(self._rules.window)
        self._awake = -inf  # since when we have not been away

    def committed(self, entries: Sequence[Entry]) -> None:
        """Give every instance that came or changed a full lease, forget those that went."""
        for entry in entries:
            if entry.name.kind is not INSTANCE:
                continue
            member, before, after = entry.name.key, entry.before, entry.after
            known = self._drop(member)
            if isinstance(after, Instance) and after.ttl is not None:
                same = isinstance(before, Instance) and before.epoch == after.epoch
                self._grant(after, seq=known.seq if known is not None and same else 0)
            elif after is None:
                self._said.pop(member, None)
                if entry.actor == ACTOR and isinstance(before, Instance):
                    self._losses.add(before.service, self._clock.monotonic())

    def renew(self, instance_id: str, seq: int = 0) -> Lease | None:
        """Give a known instance a full lease; None when it has none. Conflict for a number that was heard before."""
        held = self._held.get(instance_id)
        if held is None:
            return None
        if seq:
            if seq <= held.seq:
                text = f"heartbeat {seq} of instance {instance_id} was heard before; the last one was {held.seq}"
                raise Conflict(text, pointer="/seq", code="stale_epoch")
            held.seq = seq
        held.renewed = self._clock.monotonic()
        if held.silent is not None:
            self._heard(instance_id, held)
        return Lease(held.ttl)

    def remaining(self, instance_id: str) -> Lease | None:
        """Return what is left, or None for an instance without a lease."""
        held = self._held.get(instance_id)
        return None if held is None else Lease(max(0.0, self._deadline(held) - self._clock.monotonic()))

    def lapse(self, registry: Registry, *, late: bool) -> Pass:
        """Return who is to be removed now, what is to be said of whose health, and what stands.

        `late` forgives everybody: a full lease from now on, for those too that were silent before.
        """
        now = self._clock.monotonic()
        if late:
            self._awake = now
        self._losses.forget(now)
        lapsed = self._lapsed(now)
        for member in lapsed:
            self._fell_silent(member, now)
        if lapsed:
            self.probes.suspect(lapsed)
        gone, alarms = self._judge(registry, now) if self._silent else ((), ())
        said, self._said = self._said, {}
        return Pass(tuple(gone), said, tuple(alarms))

    # -- one lease ----------------------------------------------------------------------------------------------

    def _grant(self, instance: Instance, seq: int) -> None:
        assert instance.ttl is not None  # noqa: S101 - the caller looked
        checked = instance.check is not None and instance.check.kind is not CheckKind.TTL
        held = _Held(instance.service, instance.ttl, self._clock.monotonic(), checked, seq)
        self._held[instance.id] = held
        self._of[instance.service] += 1
        self._place(instance.id, held)

    def _drop(self, member: str) -> _Held | None:
        held = self._held.pop(member, None)
        if held is not None:
            self._of[held.service] -= 1
            if not self._of[held.service]:
                del self._of[held.service]
            if held.silent is not None:
                self._no_longer_silent(member, held)
            else:
                self._displace(member, held)
        return held

    def _heard(self, member: str, held: _Held) -> None:
        """Take one back that was silent."""
        self._no_longer_silent(member, held)
        self._place(member, held)

    def _no_longer_silent(self, member: str, held: _Held) -> None:
        silent = self._silent[held.service]
        del silent[member]
        if not silent:
            del self._silent[held.service]
        self._vouched.pop(member, None)
        if held.marked:
            self._said[member] = None
        held.silent, held.marked = None, False

    def _fell_silent(self, member: str, now: float) -> None:
        held = self._held[member]
        held.silent = now
        self._silent.setdefault(held.service, {})[member] = held
        if not held.checked:
            held.marked, self._said[member] = True, LAPSED

    def _deadline(self, held: _Held) -> float:
        return max(held.renewed, self._awake) + held.ttl

    # -- who may go ---------------------------------------------------------------------------------------------

    def _judge(self, registry: Registry, now: float) -> tuple[Sequence[Gone], Sequence[Alarm]]:
        gone: list[Gone] = []
        alarms: list[Alarm] = []
        silent = sum(map(len, self._silent.values()))
        everything = Silence(silent, len(self._held), self._losses.total)
        held_all = is_too_much(everything, self._rules, floor=FLOOR)
        if held_all:
            alarms.append(_held_alarm("registry", everything))
        share = max(1, EXAMINED // len(self._silent))
        for key, members in self._silent.items():
            silence = Silence(len(members), self._of[key], self._losses.of[key])
            left = len(registry.members_of(key))
            holds = len(members) >= left or is_too_much(silence, self._rules)
            if holds:
                alarms.append(_held_alarm(str(key), silence))
            gone += self._going(members, now, left=left, holds=holds or held_all, most=share)
        for member in list(self._vouched)[:ALARMS]:
            text = "its check is good, and its heartbeats do not come"
            alarms.append(Alarm("lease_without_heartbeat", member, text))
        return gone, alarms

    def _going(self, members: dict[str, _Held], now: float, *, left: int, holds: bool, most: int) -> list[Gone]:
        """Return who of a service goes now; those who were looked at go to the end of the line."""
        gone: list[Gone] = []
        for member in list(members)[:most]:
            held = members[member] = members.pop(member)
            silent = held.silent if held.silent is not None else now
            verdict = self.probes.verdict(member, silent) if held.checked else None
            self._mark(member, held, verdict, waited=now - silent)
            since = max(silent, self._awake)
            if not held.marked or now < self._awake + held.ttl:
                continue
            failed = verdict is False
            if failed and now - since >= self._rules.failed_for:
                gone.append(Gone(member, "its lease ran out, and its check fails", absence=False))
            elif left - len(gone) > 1 and (not holds or now - since >= self._rules.hard_limit):
                words = "the lease ran out" + (", and its check fails" if failed else "")
                gone.append(Gone(member, words, absence=not failed))
            if gone and holds:
                break  # one by one
        return gone

    def _mark(self, member: str, held: _Held, verdict: bool | None, *, waited: float) -> None:
        """Tell what silence means for an instance's health, once its check has had time to answer."""
        if verdict is True:
            self._vouched[member] = None
            if held.marked:
                held.marked, self._said[member] = False, None
        elif not held.marked and (verdict is False or waited >= self._rules.patience):
            self._vouched.pop(member, None)
            held.marked, self._said[member] = True, LAPSED

    # -- the wheel ----------------------------------------------------------------------------------------------

    def _place(self, member: str, held: _Held) -> None:
        held.slot = int(self._deadline(held))
        self._wheel.setdefault(held.slot, {})[member] = None

    def _displace(self, member: str, held: _Held) -> None:
        slot = self._wheel[held.slot]
        del slot[member]
        if not slot:
            del self._wheel[held.slot]

    def _lapsed(self, now: float) -> list[str]:
        """Empty the slots that are due, place anew who was renewed meanwhile, return the rest in order of lapse."""
        lapsed: list[str] = []
        for slot in sorted(slot for slot in self._wheel if slot <= now):
            for member in self._wheel.pop(slot):
                held = self._held[member]
                if self._deadline(held) > now:
                    self._place(member, held)
                else:
                    lapsed.append(member)
        return lapsed


def _held_alarm(name: str, silence: Silence) -> Alarm:
    lost = f" ({silence.lost} of them went within a minute)" if silence.lost else ""
    text = f"{silence.missing} of {silence.expected} leases ran out{lost}: nobody goes until heartbeats return"
    return Alarm("hold", name, text, Priority.PAGE)
