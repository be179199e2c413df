"""Leases: instances with a `ttl` must say that they are alive, or they go.

Deadlines run on the monotonic clock and are never stored: after a start everybody has a full lease. A pass removes at
most a share of a service, and never its last instance: that one stays, marked unhealthy, because an empty service helps
nobody. A pass that comes late (the process was stopped, or starved) is our fault and gives everybody a full lease.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Protocol

from xds.control.ports import Clock, Entry, Lease
from xds.model.declare import Declaration, Delete
from xds.model.health import Health
from xds.model.instance import Instance
from xds.model.intent import Kind, Ref
from xds.model.names import ServiceKey

PASS = 1.0  # seconds between passes
LATE = 3.0  # a pass that is this late was not the instances' fault
SHARE = 0.15  # of a service that one pass may remove, but always at least one instance


class Registry(Protocol):
    """What the leases need of the control plane."""

    def members_of(self, key: ServiceKey) -> Collection[str]:
        """Return the ids registered for a service."""
        ...


class HeapLeases:
    """Deadlines in a heap: a pass costs the leases that lapse, not the registry."""

    def __init__(self, clock: Clock) -> None:
        """Start with no leases."""
        self._clock = clock
        self._held: dict[str, tuple[float, float, ServiceKey]] = {}  # id -> deadline, ttl, service
        self._heap: list[tuple[float, str]] = []
        self._stale: set[str] = set()

    def committed(self, entries: Sequence[Entry]) -> None:
        """Give every instance that came or changed a full lease, forget those that went."""
        for entry in entries:
            if entry.name.kind is not Kind.INSTANCE:
                continue
            instance = entry.after
            if isinstance(instance, Instance) and instance.ttl is not None:
                self._grant(instance.id, instance.ttl, instance.service)
            else:
                self._held.pop(entry.name.key, None)
                self._stale.discard(entry.name.key)

    def renew(self, instance_id: str) -> Lease | None:
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

    def lapse(self, registry: Registry, *, late: bool) -> tuple[list[str], Mapping[str, Health]]:
        """Return who is to be removed now, and whose health is to be noted. `late` forgives everybody."""
        now = self._clock.monotonic()
        revived = {member: Health.HEALTHY for member in self._stale if self._held[member][0] > now}
        self._stale -= revived.keys()
        removed: list[str] = []
        marked: dict[str, Health] = {}
        taken: dict[ServiceKey, int] = {}
        for member in self._lapsed(now):
            _, ttl, service = self._held[member]
            if late:
                self._grant(member, ttl, service)
                continue
            members = len(registry.members_of(service))
            used = taken.get(service, 0)
            if used < max(1, int(members * SHARE)) and members - used > 1:
                taken[service] = used + 1
                removed.append(member)
            elif member not in self._stale:
                self._stale.add(member)
                marked[member] = Health.UNHEALTHY
            heapq.heappush(self._heap, (now + PASS, member))  # looked at again until it is gone or renewed
        return removed, {**revived, **marked}

    def _grant(self, member: str, ttl: float, service: ServiceKey) -> None:
        deadline = self._clock.monotonic() + ttl
        self._held[member] = (deadline, ttl, service)
        heapq.heappush(self._heap, (deadline, member))

    def _lapsed(self, now: float) -> list[str]:
        """Take what is due off the heap; renewed leases have a later entry of their own."""
        due: dict[str, None] = {}
        while self._heap and self._heap[0][0] <= now:
            _, member = heapq.heappop(self._heap)
            if member in self._held and self._held[member][0] <= now:
                due[member] = None
        return list(due)


async def watch(
    leases: HeapLeases,
    registry: Registry,
    clock: Clock,
    submit: Callable[[Sequence[Declaration]], Awaitable[object]],
    observe: Callable[[Mapping[str, Health]], None],
) -> None:
    """Make a pass every second, for ever."""
    expected = clock.monotonic()
    while True:
        late = clock.monotonic() - expected > LATE
        removed, health = leases.lapse(registry, late=late)
        if health:
            observe(health)
        if removed:
            reason = "the lease ran out"
            await submit([Declaration(Delete(Ref(Kind.INSTANCE, m)), "lease", reason, operator=True) for m in removed])
        expected = clock.monotonic() + PASS
        await asyncio.sleep(PASS)
