"""Notes: what was observed and decided without a declaration, on its way into the journal.

An observation is acted on at once and written down afterwards: whoever notes something waits for nothing, and a store
that is away costs no memory beyond the bound. What had to be left out is counted and written down as well.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from xds.control.ports import Note, Store
from xds.model.problems import Unavailable

MOST = 10_000  # notes that wait for the store
AT_ONCE = 500  # of them in one transaction, so that no commit waits long for its turn

_log = logging.getLogger(__name__)


class Notes:
    """A bounded queue in front of the journal; it keeps what came first and counts what found no room."""

    def __init__(self, store: Store) -> None:
        """Write to `store`."""
        self._store = store
        self._waiting: deque[Note] = deque()
        self._turn = asyncio.Lock()
        self.lost = 0
        """How many notes found no room since the last that was written."""

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
