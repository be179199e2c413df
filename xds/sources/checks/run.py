"""Checks that run: the schedule, the prober, and a bound on how many questions are open at once.

It decides nothing about health, and never waits for an answer with anything else undone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

from xds.control.ports import Clock, Entry
from xds.model.alarm import Alarm
from xds.model.check import CheckKind
from xds.model.signal import Signal
from xds.sources.checks.schedule import Question, Schedule
from xds.sources.checks.target import Outcome, Target

SOURCE: Final = "check"
AT_ONCE: Final = 256
"""Questions that are open at once: each is a socket, and a thousand more would be late rather than slow everybody."""
LATE: Final = 3.0
"""Seconds of our own absence after which no missing heartbeat counts."""
TELL: Final = 2.0
"""Seconds between two looks at what should alarm."""
NAP: Final = 1.0


class Asks(Protocol):
    """Whoever asks one target."""

    async def ask(self, target: Target) -> Outcome | None:
        """Return what came of it, None when the question was lost by our own fault."""
        ...


class Checks:
    """Asks whoever is due, tells `observe` what it comes to, and `alarm` what a person should know."""

    def __init__(
        self,
        schedule: Schedule,
        prober: Asks,
        clock: Clock,
        observe: Callable[[str, Mapping[str, Signal]], None],
        alarm: Callable[[str, Iterable[Alarm]], None],
    ) -> None:
        """Plug the parts together; nobody is asked before `run`."""
        self.schedule = schedule
        self._prober = prober
        self._clock = clock
        self._observe = observe
        self._alarm = alarm
        self._open = 0
        self._wake = asyncio.Event()

    def committed(self, entries: Sequence[Entry]) -> None:
        """Take note of instances that came, changed or went."""
        self.schedule.committed(entries, self._clock.monotonic())
        self._wake.set()

    def heartbeat(self, member: str) -> None:
        """Take note of an instance that says it is alive."""
        self._say(self.schedule.beat(member, self._clock.monotonic()))

    def suspect(self, members: Iterable[str]) -> None:
        """Ask these at once."""
        self.schedule.suspect(members, self._clock.monotonic())
        self._wake.set()

    def verdict(self, member: str, since: float) -> bool | None:
        """Return whether the last answer asked for after `since` was good; None without one, or without a check."""
        return self.schedule.verdict(member, since)

    async def run(self) -> None:
        """Ask for ever."""
        expected = told = self._clock.monotonic()
        async with asyncio.TaskGroup() as group:
            while True:
                now = self._clock.monotonic()
                if now - expected > LATE:
                    self.schedule.forgive(now)
                for question in self.schedule.due(now, AT_ONCE - self._open):
                    if question.target.check.kind is CheckKind.TTL:
                        self._missed(question)
                        continue
                    self._open += 1
                    group.create_task(self._ask(question))
                self.schedule.look(now)
                if now >= told:
                    self._alarm("checks", self.schedule.alarms(now))
                    told = now + TELL
                wait = NAP if self._open >= AT_ONCE else min(NAP, max(0.0, (self.schedule.next or now + NAP) - now))
                expected = now + wait
                await self._sleep(wait)

    async def _ask(self, question: Question) -> None:
        try:
            outcome = await self._prober.ask(question.target)
        finally:
            self._open -= 1
        self._say(self.schedule.answered(question, outcome, self._clock.monotonic()))
        self._wake.set()

    def _missed(self, question: Question) -> None:
        why = f"no heartbeat within {question.target.check.interval:g} s"
        outcome = Outcome(good=False, why=why, silent=True)
        self._say(self.schedule.answered(question, outcome, self._clock.monotonic()))

    def _say(self, words: Mapping[str, Signal]) -> None:
        if words:
            self._observe(SOURCE, words)

    async def _sleep(self, seconds: float) -> None:
        self._wake.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
