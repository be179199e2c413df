"""The default store: one SQLite file, one writer thread, acknowledged after the commit is on disk.

WAL with `synchronous=FULL`. A lock file keeps a second control plane out (the kernel frees it however the first one
ends). State rows are addressed by integer ids that are known in memory, which costs a third of a text key. The schema
is made in `migrations`, the journal is read in `history`, and whether the file is to be believed is asked in `doubt`.

A disk that failed to keep a write is not asked again: what the kernel dropped then, a later flush does not mention.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from xds.control.clock import SystemClock
from xds.control.failpoints import failpoint
from xds.control.ports import Clock, Commit, Doubt, JournalQuery, Loaded, Moment, Note, Remains, Revision
from xds.model.intent import Ref
from xds.model.problems import Unavailable
from xds.store import commits, content, doubt, journal, lock, migrations
from xds.store import remains as _remains
from xds.store.history import History
from xds.store.lastgood import LastGood
from xds.store.settings import StoreSettings

BUSY = 2.0  # seconds for which another program's lock is waited for
LOST_FLUSH = (
    "the disk did not keep what it was told to keep (fsync failed), so nothing is written there any more: "
    "the last write may or may not be there after a restart; see to the disk, then start anew"
)

_T = TypeVar("_T")
_log = logging.getLogger(__name__)
_DEFAULTS = StoreSettings()


class SqliteStore:
    """A store in `path`; create it, `load` once, then `commit` batches one after another.

    Opening raises Unavailable, in words, when another control plane holds the file, when it is no database, or when a
    newer release wrote it. With `last_good` a damaged file is set aside instead, and `load` says so.
    """

    def __init__(
        self,
        path: Path,
        *,
        last_good: Path | None = None,
        settings: StoreSettings = _DEFAULTS,
        clock: Clock | None = None,
    ) -> None:
        """Lock and open the file, create the schema in a new one. `last_good` is the folder of that state."""
        self._path = path
        self._settings = settings
        self._clock = clock or SystemClock()
        self._lock = lock.hold(path)
        self._ids: dict[Ref, int] = {}
        self._next_id = 1
        self._at = ""
        self._seen, self._is_busy = 0, False  # by the journal: its newest row, and whether it grows fast
        self._damage: tuple[str, Path] | None = None
        self._failed = ""
        self._good = LastGood(path, last_good) if last_good is not None else None
        self._history = History(path)
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fairlead-store")
        try:
            self._db = self._writer.submit(self._open).result()
        except BaseException:
            self._writer.shutdown()
            self._lock.close()
            raise

    @property
    def failed(self) -> str:
        """Return why nothing is written any more, "" while the disk keeps what it is told to keep."""
        return self._failed

    async def load(self) -> Loaded:
        """Return everything that is stored; a row that cannot be read is reported and left in place."""
        return await self._run(self._load)

    async def commit(self, commit: Commit) -> None:
        """Return when the batch is on disk; raises Unavailable, and then nothing of it is."""
        await self._run(lambda: self._commit(commit))

    async def note(self, notes: Sequence[Note]) -> None:
        """Add these to the journal; raises Unavailable, and then none of them is there."""

        def work() -> None:
            with self._transaction() as db:
                now = self._clock.wall()
                self._keep_time(db, journal.stamp(now))
                journal.add(db, notes, now)
            failpoint("store.noted")

        await self._run(work)

    async def preserve(self, remains: Remains) -> None:
        """Keep these in place of those before; raises Unavailable, and then those before are still kept."""

        def work() -> None:
            with self._transaction() as db:
                _remains.replace(db, remains)
            failpoint("store.preserved")

        await self._run(work)

    async def journal(self, query: JournalQuery | None = None) -> Sequence[Mapping[str, object]]:
        """Return rows of the journal, oldest first."""
        return await self._history.journal(query or JournalQuery())

    async def revisions(self, after: int, limit: int) -> Sequence[Revision]:
        """Return what the revisions above `after` changed; Gone."""
        return await self._history.revisions(after, limit)

    async def moment(self, at: datetime) -> Moment:
        """Return what was declared at a moment; Gone."""
        return await self._history.moment(at)

    async def tidy(self) -> None:
        """Index and forget rows of the journal, in slices between which commits have their turn."""
        slices = self._settings.tidy_slices if not self._failed else 0
        first = True
        while slices and await self._run(functools.partial(self._tidy, first=first)):
            slices, first = slices - 1, False

    async def keep_good(self, revision: int, objects: int) -> None:
        """Keep the last known good state if it changed; Unavailable."""
        if self._good is not None:
            await self._good.keep(revision, objects)

    async def close(self) -> None:
        """Finish the queue, close the database and free the lock."""
        await self._run(self._db.close)
        self._writer.shutdown()
        self._history.close()
        if self._good is not None:
            self._good.close()
        self._lock.close()

    async def _run(self, work: Callable[[], _T]) -> _T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._writer, work)
        except (sqlite3.Error, OSError, ValueError, OverflowError) as error:
            # The latter two: a value that neither JSON nor SQLite can hold. It costs its batch, never the writer.
            words = self._failed or f"the store {self._path.name} failed: {error}"
            raise Unavailable(words, code="store_failed" if self._failed else "store") from error

    # -- in the writer thread -----------------------------------------------------------------------------------

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.DatabaseError as error:
            if not _is_damage(error) or self._good is None or self._good.find() is None:
                text = f"{self._path} cannot be opened as a Fairlead database: {error}"
                raise Unavailable(text, code="store") from error
            return self._start_anew(error)

    def _connect(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = None
        try:
            db = sqlite3.connect(self._path, isolation_level=None, timeout=BUSY)
            migrations.prepare(db, self._path)
        except BaseException:
            if db is not None:
                db.close()
            raise
        failpoint("store.opened")
        return db

    def _start_anew(self, error: sqlite3.DatabaseError) -> sqlite3.Connection:
        """Set a damaged file aside, and open a new one in its place."""
        aside = doubt.set_aside(self._path, self._clock.wall())
        self._damage = f"the store is damaged: {error}", aside
        return self._connect()

    def _load(self) -> Loaded:
        try:
            found = content.load(self._db)
            self._at = journal.last(self._db)[1]
        except sqlite3.DatabaseError as error:
            if not _is_damage(error) or self._good is None or self._good.find() is None:
                raise
            self._db.close()
            self._db = self._start_anew(error)
            found = content.load(self._db)
        self._ids, self._next_id = found.ids, found.next_id
        good = self._good.find() if self._good is not None else None
        if good is not None:
            reason, aside = self._damage or (doubt.doubt(self._db, found.loaded, good), "")
            if reason:
                return replace(found.loaded, doubt=Doubt(reason, good.load(), str(aside)))
        self._write_anew()
        return found.loaded

    def _write_anew(self) -> None:
        """Write what an earlier process left in the log into the database, and flush that.

        What it left may be in the kernel's memory only, when a flush failed; what is written again is flushed again.
        """
        try:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            self._hear(error)  # anything else, a full disk say, keeps the log as it is, and it is whole

    def _commit(self, commit: Commit) -> None:
        with self._transaction() as db:
            self._keep_time(db, journal.stamp(commit.at))
            placed = commits.write(db, commit, self._ids, self._next_id)
            failpoint("store.written")
        failpoint("store.committed")
        for name, row in placed.items():
            if row is None:
                self._ids.pop(name, None)
            else:
                self._ids[name] = row
                self._next_id = max(self._next_id, row + 1)

    def _keep_time(self, db: sqlite3.Connection, at: str) -> None:
        """Mark the place when the clock was set back, so that time is found in spite of it."""
        if at < self._at:
            journal.rewound(db)
        self._at = at

    def _tidy(self, *, first: bool) -> bool:
        """Do a slice of each; say whether there is more. Under load the index gets one at each look."""
        before = self._clock.wall() - timedelta(seconds=self._settings.journal_age)
        with self._transaction() as db:
            newest, _ = journal.last(db)
            if first:
                self._is_busy, self._seen = newest - self._seen > journal.BUSY, newest
            more = journal.prune(db, most=self._settings.journal_rows, before=before)
            if first or not self._is_busy:
                more = (journal.index(db, newest) and not self._is_busy) or more
        failpoint("store.tidied")
        return more

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        if self._failed:
            raise Unavailable(self._failed, code="store_failed")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            failpoint("store.begin")
            yield self._db
            self._db.execute("COMMIT")
        except BaseException as error:
            # A full disk has already rolled back by itself; a second ROLLBACK would hide the first error.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._hear(error)
            raise

    def _hear(self, error: BaseException) -> None:
        """Write nothing more after a flush that failed; https://wiki.postgresql.org/wiki/Fsync_Errors has why."""
        if getattr(error, "sqlite_errorcode", 0) in {sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC}:
            self._failed = LOST_FLUSH
            _log.critical("the store %s: %s", self._path.name, LOST_FLUSH)


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Say whether it is the file, and not somebody's lock or a full disk: SQLITE_CORRUPT and SQLITE_NOTADB."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
