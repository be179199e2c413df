"""The default store: one SQLite file, one writer thread, acknowledged after the commit is on disk.

WAL with `synchronous=FULL`. A lock file keeps a second control plane out (the kernel frees it however the first one
ends). State rows are addressed by integer ids that are known in memory, which costs a third of a text key.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TypeVar

from xds.control.ports import Commit, Kept, Loaded, Note, Receipt, Remains
from xds.model.intent import Declared, Kind, Ref
from xds.model.problems import FairleadError, Problem, Unavailable
from xds.store import commits, rows
from xds.store import journal as _journal
from xds.store import remains as _remains

SCHEMA = 2
APPLICATION = 0x4661_6972  # "Fair" in the file's header, so that another program's database is never taken for ours

_T = TypeVar("_T")
_KINDS = frozenset(Kind)

_CREATE = """
CREATE TABLE state (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, revision INTEGER NOT NULL,
                    body BLOB NOT NULL);
CREATE TABLE journal (id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, at TEXT NOT NULL, actor TEXT NOT NULL,
                      reason TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, before BLOB, after BLOB);
CREATE TABLE receipt (id INTEGER PRIMARY KEY, key TEXT NOT NULL, fingerprint TEXT NOT NULL, kind TEXT NOT NULL,
                      object TEXT NOT NULL, revision INTEGER NOT NULL, body BLOB);
CREATE TABLE revision (id INTEGER PRIMARY KEY CHECK (id = 1), value INTEGER NOT NULL);
INSERT INTO revision VALUES (1, 0);
"""
_UPGRADES = {  # what makes each schema of the one before it
    2: _remains.CREATE,
}


class SqliteStore:
    """A store in `path`; create it, `load` once, then `commit` batches one after another.

    Opening raises Unavailable, in words, when another control plane holds the file, when it is no database, or when a
    newer release wrote it.
    """

    def __init__(self, path: Path) -> None:
        """Lock and open the file, create the schema in a new one."""
        self._path = path
        self._lock = _lock(path)
        self._ids: dict[Ref, int] = {}
        self._next_id = 1
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fairlead-store")
        try:
            self._db = self._writer.submit(self._open).result()
        except BaseException:
            self._writer.shutdown()
            self._lock.close()
            raise

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
                _journal.add(db, notes)

        await self._run(work)

    async def preserve(self, remains: Remains) -> None:
        """Keep these in place of those before; raises Unavailable, and then those before are still kept."""

        def work() -> None:
            with self._transaction() as db:
                _remains.replace(db, remains)

        await self._run(work)

    async def journal(self, *, after: int = 0, limit: int = 500) -> Sequence[Mapping[str, object]]:
        """Return journal rows with an id above `after`, oldest first."""
        return await self._run(lambda: _journal.rows(self._db, after, limit))

    async def close(self) -> None:
        """Finish the queue, close the database and free the lock."""
        await self._run(self._db.close)
        self._writer.shutdown()
        self._lock.close()

    async def _run(self, work: Callable[[], _T]) -> _T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._writer, work)
        except (sqlite3.Error, ValueError, OverflowError) as error:
            # The latter two: a value that neither JSON nor SQLite can hold. It costs its batch, never the writer.
            raise Unavailable(f"the store {self._path.name} failed: {error}", code="store") from error

    # -- in the writer thread -----------------------------------------------------------------------------------

    def _open(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = None
        try:
            db = sqlite3.connect(self._path, isolation_level=None)
            new = self._is_new(db)  # before the first pragma that writes: what is not ours is left as it is
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            if new:
                db.executescript(f"BEGIN;{_CREATE}PRAGMA application_id={APPLICATION};PRAGMA user_version=1;COMMIT;")
            found = int(db.execute("PRAGMA user_version").fetchone()[0])
            for version in range(found + 1, SCHEMA + 1):
                db.executescript(f"BEGIN;{_UPGRADES[version]}PRAGMA user_version={version};COMMIT;")
        except BaseException as error:
            if db is not None:
                db.close()
            if isinstance(error, sqlite3.Error):
                text = f"{self._path} cannot be opened as a Fairlead database: {error}"
                raise Unavailable(text, code="store") from error
            raise
        return db

    def _is_new(self, db: sqlite3.Connection) -> bool:
        """Say whether the schema is to be made; Unavailable when the file is somebody else's."""
        application, found = (
            int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("application_id", "user_version")
        )
        if not found and not application and not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return True
        if application != APPLICATION:
            raise Unavailable(f"{self._path} is a database, but not one of Fairlead's", code="store")
        if found > SCHEMA:
            raise Unavailable(
                f"{self._path} has schema {found}, this release knows {SCHEMA}: "
                "a newer release wrote it, and it is left as it is",
                code="store",
            )
        return False

    def _load(self) -> Loaded:
        objects: list[tuple[Declared, int]] = []
        problems: list[Problem] = []
        for row_id, kind, key, revision, body in self._db.execute(
            "SELECT id, kind, key, revision, body FROM state ORDER BY id"
        ):
            self._next_id = row_id + 1
            if kind in _KINDS:  # readable or not: whoever declares it anew replaces this row
                self._ids[Ref(Kind(kind), key)] = row_id
            try:
                objects.append((rows.read(kind, body), int(revision)))
            except (FairleadError, ValueError) as error:
                problems.append(Problem(str(kind), str(key), "", f"{error}; the row is left as it is"))
        revision = int(self._db.execute("SELECT value FROM revision").fetchone()[0])
        return Loaded(tuple(objects), revision, tuple(self._load_kept()), tuple(problems), _remains.load(self._db))

    def _load_kept(self) -> Iterator[Kept]:
        """Yield the receipts, oldest first. One that cannot be read is as good as forgotten."""
        query = "SELECT key, fingerprint, kind, object, revision, body FROM receipt ORDER BY id"
        for key, fingerprint, kind, name, revision, body in self._db.execute(query):
            with contextlib.suppress(FairleadError, ValueError):
                declared = rows.read(kind, body) if body is not None else None
                yield Kept(key, fingerprint, Receipt(Ref(Kind(kind), name), declared, int(revision)))

    def _commit(self, commit: Commit) -> None:
        with self._transaction() as db:
            placed = commits.write(db, commit, self._ids, self._next_id)
        for name, row in placed.items():
            if row is None:
                self._ids.pop(name, None)
            else:
                self._ids[name] = row
                self._next_id = max(self._next_id, row + 1)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException:
            # A full disk has already rolled back by itself; a second ROLLBACK would hide the first error.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise


def _lock(path: Path) -> IO[str]:
    """Hold `<path>.lock` for the life of the process; Unavailable names the process that has it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        real = path.resolve()  # by whatever link it is called, there is one lock
        lock = real.with_name(real.name + ".lock").open("a+")
    except OSError as error:
        raise Unavailable(f"{path.parent} cannot be used: {error.strerror}", code="store") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise Unavailable(
            f"{path} is held by another control plane (process {holder}); stop it, or use another --data-dir",
            code="store_held",
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock
