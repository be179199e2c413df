"""What survives a restart although nothing declares it: written when it changes, at most once a second.

The loop's publishes do not wait for it each time: a crash within that second costs what the restart order of xDS then
has to make good.
"""

from __future__ import annotations

import asyncio
import logging
from math import inf

from xds.cache.resource import Resource
from xds.control.ports import Remains, Remnant, Store
from xds.control.publisher import Publisher
from xds.model.health import Health
from xds.model.intent import Intent
from xds.model.problems import Unavailable

EVERY = 1.0  # seconds between two writes

_log = logging.getLogger(__name__)

_Mark = tuple[int, int, frozenset[str], frozenset[str]]


class Preserver:
    """Compares what stands without a declaration with what the store has of it."""

    def __init__(self, intent: Intent, publisher: Publisher, store: Store) -> None:
        """Read `intent` and `publisher`, write to `store`."""
        self._intent = intent
        self._publisher = publisher
        self._store = store
        self._stored = self._mark()
        self._next = -inf
        self._writing: asyncio.Task[None] | None = None

    def restore(self, remains: Remains, start: float) -> None:
        """Hand back what the store had; nothing of it goes before `start`, when Envoys had time to come back."""
        self._publisher.restore((_resource(remnant) for remnant in remains.resources), start)
        self._intent.remain(remains.leaving, remains.held)
        # Who was ready before the restart is not asked to prove it before it may go on; who was not, is.
        self._intent.observe_health(dict.fromkeys(self._intent.ailing.table, Health.HEALTHY) | dict(remains.ailing))
        self._stored = self._mark()

    @property
    def is_kept(self) -> bool:
        """Say whether the store has everything that stands now."""
        return self._mark() == self._stored

    def keep(self, now: float) -> float | None:
        """Write what changed if it is time; return when there will be something to write, None for nothing.

        The write goes on by itself; its end is no reason to look again, another change is.
        """
        if self._writing is not None and not self._writing.done():
            return now + EVERY
        if self._writing is not None:
            self._writing.result()
            self._writing = None
        mark = self._mark()
        if mark == self._stored:
            return None
        if now < self._next:
            return self._next
        self._next = now + EVERY
        self._writing = asyncio.get_running_loop().create_task(self._write(mark, self._remains()), name="preserve")
        return self._next

    async def _write(self, mark: _Mark, remains: Remains) -> None:
        try:
            await self._store.preserve(remains)
        except Unavailable as error:
            _log.warning("what lingers could not be kept for a restart: %s", error.message)
        else:
            self._stored = mark

    def _mark(self) -> _Mark:
        intent, lingering = self._intent, self._publisher.lingering
        return lingering.changes, intent.ailing.changes, frozenset(intent.leaving), frozenset(intent.held)

    def _remains(self) -> Remains:
        lingering = tuple(
            Remnant(found.type, found.name, found.variant, found.value) for found in self._publisher.lingering.resources
        )
        leaving, held = tuple(self._intent.leaving.values()), tuple(self._intent.held.values())
        return Remains(lingering, leaving, held, self._intent.ailing.table)


def _resource(remnant: Remnant) -> Resource:
    return Resource.of(remnant.type, remnant.name, remnant.value, remnant.variant)
