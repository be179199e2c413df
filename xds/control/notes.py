"""Notes: what was observed and decided without a declaration, on its way into the journal.

An observation is acted on at once and written down afterwards: whoever notes something waits for nothing, and a store
that is away costs no memory beyond the bound. What had to be left out is counted and written down as well.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque

from xds.control.ports import Clock, Note, Store
from xds.model.alarm import Alarm
from xds.model.instance import Instance
from xds.model.intent import Intent, Kind, Ref
from xds.model.problems import Unavailable

MOST = 10_000  # notes that wait for the store
AT_ONCE = 500  # of them in one transaction, so that no commit waits long for its turn

_log = logging.getLogger(__name__)
_alarms = logging.getLogger("fairlead.alarms")


class Notes:
    """A bounded queue in front of the journal; it keeps what came first and counts what found no room."""

    def __init__(self, store: Store, intent: Intent, clock: Clock) -> None:
        """Write to `store`; `intent` knows whose service an instance is, or was until it was held."""
        self._store = store
        self._intent = intent
        self._clock = clock
        self._waiting: deque[Note] = deque()
        self._turn = asyncio.Lock()
        self.lost = 0
        """How many notes found no room since the last that was written."""

    def note(  # noqa: PLR0913 - a row of the journal, field by field
        self, kind: str, about: str, before: object, after: object, actor: str, reason: str = ""
    ) -> None:
        """Take one note, as of now; returns at once."""
        found = self._intent.standing(Ref(Kind.INSTANCE, about))
        service = str(found.service) if isinstance(found, Instance) else about if "/" in about else ""
        self.add(Note(self._clock.wall(), kind, about, before, after, actor, reason, service))

    def alarm(self, alarm: Alarm, raised: bool) -> None:
        """Note that an alarm was raised or is over, and say so in the log."""
        before, after = (None, alarm.kind) if raised else (alarm.kind, None)
        self.note("alarm", alarm.object, before, after, "fairlead", alarm.message)
        fields = {
            "alarm": alarm.kind,
            "event": "raised" if raised else "over",
            "object": alarm.object,
            "priority": alarm.priority.name.lower(),
            "message": alarm.message,
        }
        _alarms.warning(json.dumps(fields, ensure_ascii=False), extra={"fields": fields})

    def add(self, note: Note) -> None:
        """Take one note; returns at once."""
        if len(self._waiting) >= MOST:
            self.lost += 1
        else:
            self._waiting.append(note)

    async def write(self) -> int:
        """Write what waits, in slices; return how many notes were written. The store's failure keeps the rest."""
        async with self._turn:
            return await self._write()

    async def _write(self) -> int:
        written = 0
        while self._waiting:
            part = [self._waiting[at] for at in range(min(AT_ONCE, len(self._waiting)))]
            try:
                await self._store.note(part)
            except Unavailable as error:
                _log.warning("%d notes wait for the store: %s", len(self._waiting), error.message)
                break
            for _ in part:
                self._waiting.popleft()
            written += len(part)
            if self.lost and not self._waiting:
                lost, self.lost = self.lost, 0
                reason = f"{lost} notes found no room while the store was away"
                self.add(Note(part[-1].at, "journal", "notes", None, None, "fairlead", reason))
        return written
