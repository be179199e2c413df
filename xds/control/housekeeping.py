"""Housekeeping: what the control plane does at leisure, a step every second, never in the loop's way.

It raises the alarms that follow from what is known elsewhere (the guard's, Envoys' refusals, a store that is away),
lets the journal catch up, and keeps the last known good state. A step that fails is logged and tried again: nothing
here is worth the process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from xds.cache.roster import Nacked, NodeEvent, Roster
from xds.control.alarms import Alarms
from xds.control.gate import refusals
from xds.control.hold import Hold, Keep
from xds.control.inbox import Inbox
from xds.control.loop import Loop
from xds.control.ports import Clock, Store
from xds.model.alarm import Alarm, Priority
from xds.model.intent import Intent
from xds.model.problems import Problem, Unavailable

EVERY = 1.0  # seconds between steps
GOOD = 30.0  # seconds between two copies of the last known good state

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
    """Raises what stands: losses that the shrink guard holds, content that Envoys refuse, a store that is not there."""

    def __init__(self, alarms: Alarms, loop: Loop, roster: Roster, clock: Clock) -> None:
        """Read `loop` and `roster`, raise in `alarms`."""
        self._alarms = alarms
        self._loop = loop
        self._roster = roster
        self._clock = clock
        self._refused = False
        self._held: tuple[Problem, ...] = ()
        roster.listen(self._heard)

    async def look(self) -> None:
        """Bring the board up to date; costs nothing while nobody refuses anything."""
        if self._loop.guard.problems != self._held:
            self._held = self._loop.guard.problems
            self._alarms.set("guard", (Alarm("shrink", p.object, p.message, Priority.PAGE) for p in self._held))
        if self._refused:
            words: dict[str, list[str]] = {}
            for problem in refusals(self._roster.nodes(), self._clock.monotonic()):
                words.setdefault(problem.object, []).append(problem.message)
            self._alarms.set("ads", (Alarm("nack", node, "; ".join(said)) for node, said in words.items()))
            self._refused = bool(words)
        self._alarms.set("store", self._of_store())
        self._alarms.set("health", self._loop.health.alarms(self._clock.monotonic()))

    def _of_store(self) -> list[Alarm]:
        committer = self._loop.committer
        if committer.hold is not None:
            return [Alarm("hold", "store", committer.hold.refusal.message, Priority.PAGE)]
        if committer.failed:
            return [Alarm("store_failed", "store", committer.failed, Priority.PAGE)]
        if away := committer.away(self._clock.monotonic()):
            words = f"the store has taken nothing for {away:.0f} s: writes are refused, everything else goes on"
            return [Alarm("store", "store", words, Priority.PAGE)]
        return []

    def _heard(self, event: NodeEvent) -> None:
        self._refused = self._refused or isinstance(event, Nacked)


class StoreKeeping:
    """Lets the journal catch up and keeps the last known good state, unless the store is in doubt."""

    def __init__(  # noqa: PLR0913 - what it looks after, each a part of its own
        self, store: Store, alarms: Alarms, loop: Loop, inbox: Inbox, intent: Intent, clock: Clock
    ) -> None:
        """Ask `store` for it, as long as `loop` holds nothing."""
        self._store = store
        self._inbox = inbox
        self._alarms = alarms
        self._loop = loop
        self._intent = intent
        self._clock = clock
        self._next = 0.0

    @property
    def hold(self) -> Hold | None:
        """Return why nothing is accepted, and what is held against what; None in peace."""
        return self._loop.committer.hold

    async def decide(self, keep: Keep, actor: str, reason: str) -> int:
        """Return the revision with which what is served, or what the store holds, is what counts from now on.

        Conflict when nothing is held, Unavailable when the store does not take it.
        """
        return await self._inbox.decide(keep, actor, reason)

    def age(self) -> float:
        """Return for how many seconds the store has taken nothing that it was given; 0 while it works."""
        return self._loop.committer.away(self._clock.monotonic())

    async def tidy(self) -> None:
        """Do what no commit should pay for."""
        if self.hold is None:
            await self._store.tidy()

    async def keep_good(self) -> None:
        """Copy the state if it is time and something changed."""
        now = self._clock.monotonic()
        if now >= self._next:
            self._next = now + GOOD
            await self.keep_now()

    async def keep_now(self) -> None:
        """Copy the state if something changed."""
        if self.hold is not None:
            return
        found: list[Alarm] = []
        try:
            await self._store.keep_good(self._intent.revision, len(self._intent.revisions))
        except Unavailable as error:
            _log.error("%s", error.message)
            priority = Priority.PAGE if error.code == "store_damaged" else Priority.TICKET
            found.append(Alarm("last_good", "store", error.message, priority))
        self._alarms.set("last_good", found)
