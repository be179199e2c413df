"""The journal beyond the hot insert of a commit: notes in, an index made at leisure, old rows out.

A commit only appends. What answers by service and by object is a table of its own, filled in slices afterwards, so that
no registration pays for it: `journal_mark` says how far it has come, and readers look through the rest by themselves.
Time and revision never go back with the id, except where the clock was set back: those places are in `journal_rewind`,
and time is searched between them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta

from xds.control.ports import Note

CREATE = """
CREATE TABLE journal_about (about TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (about, id)) WITHOUT ROWID;
CREATE TABLE journal_service (id INTEGER PRIMARY KEY, service TEXT NOT NULL);
CREATE TABLE journal_rewind (id INTEGER PRIMARY KEY);
CREATE TABLE journal_mark (id INTEGER PRIMARY KEY CHECK (id = 1), indexed INTEGER NOT NULL);
INSERT INTO journal_mark VALUES (1, 0);
"""
SERVICE = """
coalesce(
  (SELECT service FROM journal_service WHERE journal_service.id = journal.id),
  CASE WHEN kind = 'service' THEN key
       WHEN json_valid(CAST(coalesce(after, before) AS TEXT))
       THEN json_extract(CAST(coalesce(after, before) AS TEXT), '$.service[0]') || '/' ||
            json_extract(CAST(coalesce(after, before) AS TEXT), '$.service[1]') END)
"""
"""The service that a row is about, as `env/name`, or NULL. Notes have theirs beside them."""
INDEXED = f"""
INSERT OR IGNORE INTO journal_about
WITH part AS MATERIALIZED (SELECT id, key, {SERVICE} AS service FROM journal WHERE id > :after AND id <= :last)
SELECT 'object ' || key, id FROM part
UNION ALL
SELECT 'service ' || service, id FROM part WHERE service IS NOT NULL
"""  # noqa: S608 - made of constants
FORGOTTEN = f"""
DELETE FROM journal_about WHERE (about, id) IN (
SELECT 'object ' || key, id FROM journal WHERE id <= :last
UNION ALL
SELECT 'service ' || {SERVICE}, id FROM journal WHERE id <= :last AND {SERVICE} IS NOT NULL)
"""  # noqa: S608 - made of constants

SLICE = 1000  # rows at a stretch: some milliseconds in which no commit is made
BUSY = 500  # rows since the last look, above which all but one slice waits for a quieter moment
LATE = timedelta(seconds=5)


def stamp(at: datetime) -> str:
    """Return a moment as the journal has it: text whose order is that of time."""
    return at.isoformat(timespec="milliseconds")


def add(db: sqlite3.Connection, notes: Sequence[Note], at: datetime) -> None:
    """Write notes down as of `at`, in the caller's transaction; what is late says when it was observed."""
    revision = int(db.execute("SELECT value FROM revision").fetchone()[0])
    for note in notes:
        late = at - note.at > LATE
        reason = f"{note.reason} (observed {stamp(note.at)})" if late else note.reason
        row = (revision, stamp(at), note.actor, reason, note.kind, note.about, _body(note.before), _body(note.after))
        row_id = db.execute("INSERT INTO journal VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", row).lastrowid
        if note.service:
            db.execute("INSERT INTO journal_service VALUES (?, ?)", (row_id, note.service))


def rewound(db: sqlite3.Connection) -> None:
    """Note that the clock was set back before the next row, in the caller's transaction."""
    db.execute("INSERT OR IGNORE INTO journal_rewind SELECT coalesce(max(id), 0) + 1 FROM journal")


def last(db: sqlite3.Connection) -> tuple[int, str]:
    """Return id and time of the newest row; 0 and "" without one."""
    found = db.execute("SELECT id, at FROM journal ORDER BY id DESC LIMIT 1").fetchone()
    return (int(found[0]), str(found[1])) if found else (0, "")


def indexed(db: sqlite3.Connection) -> int:
    """Return the id up to which rows are indexed."""
    return int(db.execute("SELECT indexed FROM journal_mark").fetchone()[0])


def index(db: sqlite3.Connection, upto: int) -> bool:
    """Index a slice of the rows up to `upto`, in the caller's transaction; say whether there is more."""
    after = indexed(db)
    if after >= upto:
        return False
    upto = min(upto, after + SLICE)
    db.execute(INDEXED, {"after": after, "last": upto})
    db.execute("UPDATE journal_mark SET indexed = ?", (upto,))
    return True


def prune(db: sqlite3.Connection, *, most: int, before: datetime) -> bool:
    """Forget a slice of the rows beyond the `most` newest, or older than `before`; say whether there is more.

    The newest row stays, whatever its age: it tells when the last change was. In the caller's transaction.
    """
    oldest = db.execute("SELECT id, at FROM journal ORDER BY id LIMIT 1").fetchone()
    first, newest = int(oldest[0]) if oldest else 0, last(db)[0]
    if not oldest or (newest - first < most and str(oldest[1]) >= stamp(before)):
        return False
    upto = min(first + SLICE, newest) - 1
    old = db.execute("SELECT max(id) FROM journal WHERE id <= ? AND at < ?", (upto, stamp(before))).fetchone()[0]
    bound = min(upto, max(newest - most, int(old or 0)))
    if bound < first:
        return False
    if indexed(db) >= first:
        db.execute(FORGOTTEN, {"last": bound})
    for table in ("journal_service", "journal_rewind", "journal"):
        db.execute(f"DELETE FROM {table} WHERE id <= ?", (bound,))  # noqa: S608 - made of constants
    db.execute("UPDATE journal_mark SET indexed = max(indexed, ?)", (bound,))
    return bound == upto


def _body(value: object) -> bytes | None:
    return None if value is None else json.dumps(value, ensure_ascii=False).encode()
