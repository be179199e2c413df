"""The schema of the database and its way forward: one transaction a step, after a backup; never back.

It knows which files are ours. A newer release's file, and another program's, are refused in words and left as they are.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from xds.control.failpoints import failpoint
from xds.model.problems import Unavailable
from xds.store import backup, journal, remains

SCHEMA: Final = 3
APPLICATION: Final = 0x4661_6972
"""\"Fair" in the file's header, so that another program's database is never taken for ours."""

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
_STEPS: Final = {  # what makes each schema of the one before it
    2: remains.CREATE,
    3: journal.CREATE,
}


def prepare(db: sqlite3.Connection, path: Path) -> None:
    """Create the schema in a new file, or bring an older one up to date; Unavailable for a file that is not for us."""
    new = is_new(db, path)  # before the first pragma that writes: what is not ours is left as it is
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    if new:
        create(db)
        failpoint("store.created")
    elif (found := version(db)) < SCHEMA:
        failpoint("migration.before")
        backup.copy(db, path.with_name(f"{path.name}.schema-{found}"))
        failpoint("migration.backed_up")
    upgrade(db)


def upgrade(db: sqlite3.Connection) -> None:
    """Take every step that a database of ours still lacks."""
    for step in range(version(db) + 1, SCHEMA + 1):
        db.executescript(f"BEGIN IMMEDIATE;{_STEPS[step]}PRAGMA user_version={step};")
        failpoint("migration.step")
        db.execute("COMMIT")
        failpoint("migration.after")


def create(db: sqlite3.Connection) -> None:
    """Make the first schema in an empty database."""
    db.executescript(f"BEGIN IMMEDIATE;{_CREATE}PRAGMA application_id={APPLICATION};PRAGMA user_version=1;COMMIT;")


def version(db: sqlite3.Connection) -> int:
    """Return the number of a database's schema."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def is_new(db: sqlite3.Connection, path: Path) -> bool:
    """Say whether the schema is to be made; Unavailable when the file is somebody else's, or of a newer release."""
    application, found = int(db.execute("PRAGMA application_id").fetchone()[0]), version(db)
    if not found and not application and not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return True
    if application != APPLICATION:
        raise Unavailable(f"{path} is a database, but not one of Fairlead's", code="store")
    if found > SCHEMA:
        raise Unavailable(
            f"{path} has schema {found}, this release knows {SCHEMA}: "
            "a newer release wrote it, and it is left as it is",
            code="store",
        )
    return False
