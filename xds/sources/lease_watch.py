"""The passes over the leases, once a second: what they come to is declared, observed and raised as alarms."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from xds.control.ports import Clock
from xds.model.alarm import Alarm
from xds.model.declare import Declaration, Delete
from xds.model.intent import Kind, Ref
from xds.model.signal import Signal
from xds.sources import leases as _leases
from xds.sources.leases import ACTOR, Gone, Pass, Registry, WheelLeases


@dataclass(frozen=True, slots=True)
class Outlets:
    """Where a pass's results go: the control plane's `submit`, `observe` and the alarms' `set`."""

    submit: Callable[[Sequence[Declaration]], Awaitable[object]]
    observe: Callable[[str, Mapping[str, Signal | None]], None]
    alarm: Callable[[str, Iterable[Alarm]], None]


async def watch(leases: WheelLeases, registry: Registry, clock: Clock, outlets: Outlets) -> None:
    """Make a pass every second, for ever."""
    expected = clock.monotonic()
    raised: tuple[Alarm, ...] = ()
    while True:
        late = clock.monotonic() - expected > _leases.LATE
        found = await make_pass(leases, registry, outlets, late=late)
        if found.alarms != raised:
            raised = found.alarms
            outlets.alarm(ACTOR, raised)
        expected = clock.monotonic() + _leases.PASS  # a store that is slow holds passes up, and hides nobody's silence
        await asyncio.sleep(_leases.PASS)


async def make_pass(leases: WheelLeases, registry: Registry, outlets: Outlets, *, late: bool) -> Pass:
    """Make one pass, observe and declare what it comes to, and return it."""
    found = leases.lapse(registry, late=late)
    if found.said:
        outlets.observe(ACTOR, found.said)
    if found.gone:
        await outlets.submit([_removal(gone) for gone in found.gone])
    return found


def _removal(gone: Gone) -> Declaration:
    removal = Delete(Ref(Kind.INSTANCE, gone.member))
    return Declaration(removal, ACTOR, gone.reason, operator=True, absence=gone.absence)
