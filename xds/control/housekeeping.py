"""Housekeeping: what the control plane does at leisure, a step every second, never in the loop's way.

It raises the alarms that follow from what is known elsewhere (the guard's, Envoys' refusals) and lets the journal catch
up. A step that fails is logged and tried again: nothing here is worth the process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from xds.cache.roster import Nacked, NodeEvent, Roster
from xds.control.alarms import Alarms
from xds.control.gate import refusals
from xds.control.ports import Clock
from xds.control.shrink import ShrinkGuard
from xds.model.alarm import Alarm, Priority
from xds.model.problems import Problem

EVERY = 1.0  # seconds between steps

Step = Callable[[], Awaitable[object]]

_log = logging.getLogger(__name__)


class Housekeeping:
    """Takes its steps one after another, for ever."""

    def __init__(self, steps: Sequence[Step]) -> None:
        """Take these steps, in this order."""
        self._steps = steps

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            await self.round()
            await asyncio.sleep(EVERY)

    async def round(self) -> None:
        """Take every step once."""
        for step in self._steps:
            try:
                await step()
            except Exception:  # noqa: BLE001 - whatever it is, the next second tries again; it is logged whole
                _log.exception("housekeeping failed at a step")


class StandingAlarms:
    """Raises what stands: losses that the shrink guard holds, content that Envoys refuse."""

    def __init__(self, alarms: Alarms, guard: ShrinkGuard, roster: Roster, clock: Clock) -> None:
        """Read `guard` and `roster`, raise in `alarms`."""
        self._alarms = alarms
        self._guard = guard
        self._roster = roster
        self._clock = clock
        self._refused = False
        self._held: tuple[Problem, ...] = ()
        roster.listen(self._heard)

    async def look(self) -> None:
        """Bring the board up to date; costs nothing while nobody refuses anything."""
        if self._guard.problems != self._held:
            self._held = self._guard.problems
            self._alarms.set("guard", (Alarm("shrink", p.object, p.message, Priority.PAGE) for p in self._held))
        if self._refused:
            words: dict[str, list[str]] = {}
            for problem in refusals(self._roster.nodes(), self._clock.monotonic()):
                words.setdefault(problem.object, []).append(problem.message)
            self._alarms.set("ads", (Alarm("nack", node, "; ".join(said)) for node, said in words.items()))
            self._refused = bool(words)

    def _heard(self, event: NodeEvent) -> None:
        self._refused = self._refused or isinstance(event, Nacked)
