"""Leases: instances with a `ttl` must say that they are alive, or they go.

Deadlines run on the monotonic clock and are never stored: after a start everybody has a full lease. A pass removes at
most a share of a service, and never its last instance: that one stays, marked unhealthy, because an empty service helps
nobody. A pass that comes late (the process was stopped, or starved) is our fault, and everybody gets a full lease.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from math import inf
from typing import Protocol

from xds.control.ports import Clock, Entry, Lease
from xds.model.declare import Declaration, Delete
from xds.model.health import Health
from xds.model.instance import Instance
from xds.model.intent import Kind, Ref
from xds.model.names import ServiceKey
from xds.model.signal import Signal

PASS = 1.0  # seconds between passes
LATE = 3.0  # a pass that is this late was not the instances' fault
SPARE = 1024  # entries of the heap that may be out of date beyond one for each lease
LAPSED = Signal(Health.UNHEALTHY, "its lease ran out")
SHARE = 0.15  # of a service that one pass may remove, but always at least one instance


class Registry(Protocol):
    """What the leases need of the control plane."""

    def members_of(self, key: ServiceKey) -> Collection[str]:
        """Return the ids registered for a service."""
        ...


class HeapLeases:
    """Deadlines in a heap: a pass costs the leases that lapse, not the registry.

    A renewal moves the deadline and leaves the heap alone; an entry that comes up early is put back. So there is about
    one entry per lease, however often it is renewed.
    """

    def __init__(self, clock: Clock) -> None:
        """Start with no leases."""
        self._clock = clock
        self._held: dict[str, tuple[float, float, ServiceKey]] = {}  # id -> deadline, ttl, service
        self._heap: list[tuple[float, str]] = []
        self._due: dict[str, float] = {}  # id -> when its entry in the heap comes up
        self._stale: set[str] = set()
        self._freed: set[str] = set()  # were stale, and need no lease any more

    def committed(self, entries: Sequence[Entry]) -> None:
        """Give every instance that came or changed a full lease, forget those that went."""
        for entry in entries:
            if entry.name.kind is not Kind.INSTANCE:
                continue
            member, instance = entry.name.key, entry.after
            if isinstance(instance, Instance) and instance.ttl is not None:
                self._grant(instance.id, instance.ttl, instance.service)
                continue
            self._held.pop(member, None)
            if instance is None:
                self._freed.discard(member)
            elif member in self._stale:
                self._freed.add(member)
            self._stale.discard(member)

    def renew(self, instance_id: str, seq: int = 0) -> Lease | None:  # noqa: ARG002 - heard, not yet compared
        """Give a known instance a full lease; None when it has none."""
        held = self._held.get(instance_id)
        if held is None:
            return None
        self._grant(instance_id, held[1], held[2])
        return Lease(held[1])

    def remaining(self, instance_id: str) -> Lease | None:
        """Return what is left, or None for an instance without a lease."""
        held = self._held.get(instance_id)
        return None if held is None else Lease(max(0.0, held[0] - self._clock.monotonic()))

    def lapse(self, registry: Registry, *, late: bool) -> tuple[list[str], Mapping[str, Signal | None]]:
        """Return who is to be removed now, and what is to be said of whose health. `late` forgives everybody.

        Forgiving is a full lease for all who were not overdue before we were away; those still have to speak up.
        """
        now = self._clock.monotonic()
        revived = {member for member in self._stale if self._held[member][0] > now}
        self._stale -= revived
        health: dict[str, Signal | None] = dict.fromkeys(revived | self._freed)
        self._freed.clear()
        if late:
            for member, (_, ttl, service) in self._held.items():
                if member not in self._stale:
                    self._held[member] = (now + ttl, ttl, service)
            return [], health
        removed: list[str] = []
        taken: dict[ServiceKey, int] = {}
        for member in self._lapsed(now):
            service = self._held[member][2]
            members = len(registry.members_of(service))
            used = taken.get(service, 0)
            if used < max(1, int(members * SHARE)) and members - used > 1:
                taken[service] = used + 1
                removed.append(member)
            elif member not in self._stale:
                self._stale.add(member)
                health[member] = LAPSED
            self._push(now + PASS, member)  # looked at again until it is gone or renewed
        return removed, health

    def _grant(self, member: str, ttl: float, service: ServiceKey) -> None:
        deadline = self._clock.monotonic() + ttl
        self._held[member] = (deadline, ttl, service)
        if deadline < self._due.get(member, inf):
            self._push(deadline, member)

    def _push(self, at: float, member: str) -> None:
        self._due[member] = at
        heapq.heappush(self._heap, (at, member))
        if len(self._heap) > 2 * len(self._held) + SPARE:  # what went, or was shortened, left its entry behind
            self._due = {m: at for m, at in self._due.items() if m in self._held}
            self._heap = [(at, m) for m, at in self._due.items()]
            heapq.heapify(self._heap)

    def _lapsed(self, now: float) -> list[str]:
        """Take what is due off the heap, put back what was renewed meanwhile, return the rest in order of lapse."""
        lapsed: list[str] = []
        while self._heap and self._heap[0][0] <= now:
            at, member = heapq.heappop(self._heap)
            if self._due.get(member) != at:
                continue
            del self._due[member]
            held = self._held.get(member)
            if held is not None and held[0] > now:
                self._push(held[0], member)
            elif held is not None:
                lapsed.append(member)
        return lapsed


async def watch(
    leases: HeapLeases,
    registry: Registry,
    clock: Clock,
    submit: Callable[[Sequence[Declaration]], Awaitable[object]],
    observe: Callable[[str, Mapping[str, Signal | None]], None],
) -> None:
    """Make a pass every second, for ever."""
    expected = clock.monotonic()
    while True:
        late = clock.monotonic() - expected > LATE
        removed, health = leases.lapse(registry, late=late)
        if health:
            observe("lease", health)
        if removed:
            await submit([_absent(member) for member in removed])
        expected = clock.monotonic() + PASS
        await asyncio.sleep(PASS)


def _absent(member: str) -> Declaration:
    removal = Delete(Ref(Kind.INSTANCE, member))
    return Declaration(removal, "lease", "the lease ran out", operator=True, absence=True)
