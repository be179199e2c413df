"""Copies of a database: made online by SQLite itself, verified before they count, put in place atomically.

A file under its final name is whole: it is written under another one, read back, flushed, and renamed.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from xds.model.problems import Unavailable


def copy(source: sqlite3.Connection, target: Path) -> None:
    """Write what `source` holds now to `target`, in place of what is there; whoever writes to it goes on.

    Unavailable when the copy is damaged, sqlite3.Error or OSError when it cannot be made: `target` is then as before.
    """
    part = target.with_name(target.name + ".part")
    remove(part)
    try:
        with closing(sqlite3.connect(part, isolation_level=None)) as db:
            source.backup(db)
            db.execute("PRAGMA journal_mode=DELETE")  # one file, without companions
            verify(db, target)
        place(part, target)
    except BaseException:
        remove(part)
        raise


def verify(db: sqlite3.Connection, path: Path) -> None:
    """Read everything once; Unavailable when SQLite finds damage."""
    try:
        found = str(db.execute("PRAGMA integrity_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise Unavailable(f"{path} is damaged: {found}", code="store_damaged")


def place(part: Path, target: Path) -> None:
    """Put a file that was written under another name in place, so that a crash leaves the old one or the new."""
    sync(part)
    part.replace(target)
    sync(target.parent)


def remove(path: Path) -> None:
    """Remove a database that may be there, and its companions."""
    for each in companions(path):
        each.unlink(missing_ok=True)


def companions(path: Path) -> tuple[Path, ...]:
    """Return the names of a database's files: itself, its log, the log's index, its rollback journal."""
    return (path, *(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "-journal")))


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
