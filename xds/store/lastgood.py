"""The last known good state, in a folder beside the store: what to serve when the store is lost, empty or damaged.

It is a database of its own with state, receipts and what remains, without the journal. Its name says its revision and
the digest of its bytes, so a file is whole or it does not count. It is copied from the store in slices, in a thread of
its own, and flushed as it grows, so that no commit waits behind one long flush.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from xds.control.failpoints import failpoint
from xds.control.ports import Loaded
from xds.model.problems import Unavailable
from xds.store import backup, content, migrations

SLICE = 5000  # rows between two flushes
REST = 0.002  # seconds between slices, in which the event loop has the interpreter for itself

_NAME = re.compile(r"(\d{1,18})-([0-9a-f]{64})\.db\Z")
_TABLES = ("state", "receipt", "remains")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Copy:
    """A whole copy: where it is, its revision, and the kind and key of everything in it."""

    path: Path
    revision: int
    names: frozenset[tuple[str, str]]

    def load(self) -> Loaded:
        """Return all that is in it; sqlite3.Error when it cannot be read after all."""
        with closing(_open(self.path)) as db:
            return content.load(db).loaded


class LastGood:
    """Keeps one copy of `store` in `folder`."""

    def __init__(self, store: Path, folder: Path) -> None:
        """Use `folder`, which is made when something is first kept."""
        self._store = store
        self._folder = folder
        self._kept: int | None = None
        self._copier = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fairlead-last-good")

    async def keep(self, revision: int, objects: int) -> None:
        """Copy the store's state unless that revision is kept already; Unavailable when it cannot be done.

        `revision` and `objects` are what memory holds. A store that has less than that is damaged, and is not copied
        over what is good.
        """
        if revision == self._kept:
            return
        try:
            self._kept = await asyncio.get_running_loop().run_in_executor(self._copier, self._write, revision, objects)
        except (OSError, sqlite3.Error) as error:
            raise Unavailable(f"the last known good state could not be kept: {error}", code="last_good") from error

    def find(self) -> Copy | None:
        """Return the newest whole copy, None without one; what is damaged is left alone and logged."""
        for path, revision, digest in self._copies():
            try:
                if _digest(path) != digest:
                    raise ValueError("its bytes are not those that were written")
                with closing(_open(path)) as db:
                    names = frozenset(db.execute("SELECT kind, key FROM state"))
                return Copy(path, revision, names)
            except (OSError, ValueError, sqlite3.Error) as error:
                _log.error("the last known good state %s cannot be used: %s", path.name, error)
        return None

    def close(self) -> None:
        """Wait for the copy that is being made."""
        self._copier.shutdown()

    def _copies(self) -> Iterator[tuple[Path, int, str]]:
        names = ((path, match) for path in self._folder.glob("*.db") if (match := _NAME.match(path.name)))
        for path, match in sorted(names, key=lambda pair: int(pair[1][1]), reverse=True):
            yield path, int(match[1]), match[2]

    def _write(self, revision: int, objects: int) -> int:
        failpoint("lastgood.begin")
        self._folder.mkdir(parents=True, exist_ok=True)
        part = self._folder / "new.part"
        backup.remove(part)
        with closing(sqlite3.connect(f"file:{quote(str(part))}", uri=True, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode=OFF")  # a file that is not finished has no name, and needs no way back
            db.execute("PRAGMA synchronous=OFF")
            migrations.create(db)
            migrations.upgrade(db)
            db.execute("ATTACH ? AS store", (f"file:{quote(str(self._store))}?mode=ro",))
            db.execute("BEGIN")
            found = int(db.execute("SELECT value FROM store.revision").fetchone()[0])
            count = int(db.execute("SELECT count(*) FROM store.state").fetchone()[0])
            if found < revision or (found == revision and count < objects):
                raise Unavailable(
                    f"the store has {count} objects at revision {found}, memory {objects} at {revision}: "
                    "it has lost something, and the last known good state stays as it is",
                    code="store_damaged",
                )
            _copy(db, part)
            db.execute("UPDATE main.revision SET value = ?", (found,))
            db.execute("COMMIT")
        failpoint("lastgood.written")
        backup.sync(part)
        failpoint("lastgood.synced")
        name = self._folder / f"{found}-{_digest(part)}.db"
        backup.place(part, name)
        failpoint("lastgood.renamed")
        for other, _, _ in self._copies():
            if other != name:
                other.unlink()
        return found


def _copy(db: sqlite3.Connection, part: Path) -> None:
    """Copy the tables of one moment of the store, slice by slice, and flush what SQLite has already written out."""
    for table in _TABLES:
        low, high = db.execute(f"SELECT coalesce(min(id), 1), coalesce(max(id), 0) FROM store.{table}").fetchone()  # noqa: S608 - made of constants
        for start in range(low, high + 1, SLICE):
            db.execute(
                f"INSERT INTO main.{table} SELECT * FROM store.{table} WHERE id BETWEEN ? AND ?",  # noqa: S608 - made of constants
                (start, start + SLICE - 1),
            )
            backup.sync(part)
            time.sleep(REST)


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
