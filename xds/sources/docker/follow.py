"""Following one engine for ever: its events, its list twice a minute, inspections, questions and deaths.

It subscribes first and lists then, with overlap, so that nothing falls between the two; after each loss of the engine
everybody is inspected anew. While the engine is away what is known of its containers stands, and the source is stale.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from math import inf
from typing import Final

from xds.sources.docker import probing
from xds.sources.docker.containers import Containers
from xds.sources.docker.deaths import Deaths
from xds.sources.docker.effects import Ask, Inspect, Register, Report, Watch, Withdraw
from xds.sources.docker.engine import Engine, EngineError
from xds.sources.docker.stream import EventStream, Oversized

RECONCILE: Final = 30.0  # seconds from one full list to the next
PING: Final = 5.0  # seconds from one proof that the engine is there to the next: where nothing happens it says nothing
DOUBT: Final = 1.0  # seconds until an empty list is asked for again
OVERLAP: Final = 2.0  # seconds of events that are heard twice after a reconnect
FIRST_PAUSE: Final = 0.2  # seconds before the second attempt; each further one waits twice as long
LONGEST_PAUSE: Final = 15.0
INSPECTIONS: Final = 4  # at a time
AFTER_END: Final = 0.05  # seconds after an end until anybody is inspected: word of it has the processor first
QUESTIONS: Final = 256  # at a time; a place that cannot be reached is one for a second

_log = logging.getLogger(__name__)

Told = Register | Withdraw | Report


class Follower:
    """Keeps `containers` true to one engine. `told` is called with what is to be registered and withdrawn, in order.

    `monotonic` is a clock in seconds, `chance` returns numbers from 0 to 1.
    """

    def __init__(
        self,
        engine: Engine,
        containers: Containers,
        told: Callable[[Sequence[Told]], None],
        *,
        monotonic: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        """Follow nothing yet."""
        self.engine = engine
        self.containers = containers
        self.trouble = "not reached yet"
        self.moves = 0  # grows with whatever may be other than before
        self._told = told
        self._now = monotonic
        self._chance = chance
        self._deaths = Deaths(self._died)
        self._wake = asyncio.Event()
        self._inspections = asyncio.Semaphore(INSPECTIONS)
        self._questions = asyncio.Semaphore(QUESTIONS)
        self._tasks: asyncio.TaskGroup | None = None
        self._last = 0  # nanoseconds, the engine's clock: its newest event
        self._failures = 0
        self._blind = False

    @property
    def stale(self) -> bool:
        """Say whether the engine is away, so that what is known of its containers may be old."""
        return bool(self.trouble)

    @property
    def settled(self) -> bool:
        """Say whether the engine has told of everybody that it runs."""
        return not self.stale and self.containers.settled()

    async def run(self) -> None:
        """Follow until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self._keep_time(), name="docker-time")
                while True:
                    try:
                        await self._follow()
                    except* (EngineError, Oversized) as several:
                        self._lost(several)
                    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._failures - 1, 16))
                    await asyncio.sleep(pause * (0.5 + 0.5 * self._chance()))
        finally:
            self._deaths.close()

    async def _follow(self) -> None:
        await self.engine.negotiate()
        since = self._last / 1e9 - OVERLAP if self._last else None
        async with self.engine.events(since) as chunks, asyncio.TaskGroup() as both:
            await self._reconcile(afresh=True)
            self._found()
            both.create_task(self._reconcile_for_ever(), name="docker-reconcile")
            both.create_task(self._ping_for_ever(), name="docker-ping")
            stream = EventStream(self.containers.reading)
            async for chunk in chunks:
                for event in stream.feed(chunk):
                    self._last = max(self._last, event.at)
                    self.containers.event(event, self._now())
                self._carry_out()

    async def _reconcile_for_ever(self) -> None:
        while True:
            await asyncio.sleep(RECONCILE * (0.9 + 0.2 * self._chance()))
            await self._reconcile(afresh=False)

    async def _ping_for_ever(self) -> None:
        while True:
            await asyncio.sleep(PING * (0.9 + 0.2 * self._chance()))
            await self.engine.ping()

    async def _reconcile(self, *, afresh: bool) -> None:
        if not self.containers.listed(await self.engine.running(), afresh=afresh):
            await asyncio.sleep(DOUBT)
            self.containers.listed(await self.engine.running(), afresh=afresh)
        self._carry_out()

    async def _keep_time(self) -> None:
        while True:
            self._wake.clear()
            due = self.containers.due()
            try:
                async with asyncio.timeout(None if due == inf else max(0.0, due - self._now())):
                    await self._wake.wait()
            except TimeoutError:
                self.containers.turn(self._now())
                self._carry_out()

    def _carry_out(self) -> None:
        """Do what follows from what was sensed; what is registered or withdrawn is told first, in order."""
        self.moves += 1
        effects = self.containers.effects()
        told = [each for each in effects if isinstance(each, Register | Withdraw | Report)]
        if told:
            self._told(told)
        pause = AFTER_END if any(isinstance(each, Withdraw) for each in told) else 0.0
        for effect in effects:
            match effect:
                case Inspect():
                    self._start(self._inspect(effect.id, pause))
                case Ask():
                    self._start(self._ask(effect))
                case Watch():
                    self._watch(effect)
                case Register() | Withdraw() | Report():
                    pass  # told above
        self._wake.set()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        if self._tasks is None:
            work.close()
            return
        self._tasks.create_task(work, name="docker-work")

    async def _inspect(self, container: str, pause: float) -> None:
        try:
            await asyncio.sleep(pause)
            async with self._inspections:
                facts = await self.engine.inspect(container)
            self.containers.inspected(container, facts, self._now())
        except EngineError as error:
            self.containers.not_inspected(container, str(error), self._now())
        except Exception as error:  # noqa: BLE001 - what nobody foresaw in one container costs that container
            _log.exception("container %s could not be understood", container[:12])
            self.containers.not_inspected(container, f"an error of ours: {error}", self._now())
        if not self.containers.knows(container):
            self._deaths.forget(container)
        self._carry_out()

    async def _ask(self, question: Ask) -> None:
        try:
            async with self._questions:
                answer = await probing.ask(question.place, question.check)
        except Exception as error:  # noqa: BLE001 - as above
            _log.exception("container %s could not be asked", question.id[:12])
            answer = f"an error of ours: {error}"
        self.containers.answered(question, answer, self._now())
        self._carry_out()

    def _watch(self, effect: Watch) -> None:
        if not self._deaths.watch(effect.id, effect.pid) and not self._blind:
            self._blind = True
            _log.info("processes of containers cannot be watched from here: deaths are known by the engine's events")

    def _died(self, container: str, pid: int) -> None:
        self.containers.died(container, pid, self._now())
        self._carry_out()

    def _found(self) -> None:
        _log.info("following the engine at %s (%s)", self.engine.endpoint, self.engine.version)
        self.trouble, self._failures = "", 0
        self.moves += 1

    def _lost(self, several: BaseExceptionGroup[EngineError | Oversized]) -> None:
        error: BaseException = several
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        self._failures += 1
        if self.trouble != str(error):
            _log.warning("%s; what is known of its containers stands", error)
        self.trouble = str(error)
        self.moves += 1
