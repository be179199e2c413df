"""The journal's table beyond the hot insert of a commit: notes in, rows out."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence

from xds.control.ports import Note

_COLUMNS = ("id", "revision", "at", "actor", "reason", "kind", "key", "before", "after")


def add(db: sqlite3.Connection, notes: Sequence[Note]) -> None:
    """Write notes, in the caller's transaction."""
    db.executemany("INSERT INTO journal VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", map(_row, notes))


def rows(db: sqlite3.Connection, after: int, limit: int) -> list[Mapping[str, object]]:
    """Return rows with an id above `after`, oldest first."""
    query = f"SELECT {', '.join(_COLUMNS)} FROM journal WHERE id > ? ORDER BY id LIMIT ?"  # noqa: S608 - names are constants
    found = db.execute(query, (after, limit)).fetchall()
    return [{name: _plain(value) for name, value in zip(_COLUMNS, row, strict=True)} for row in found]


def _row(note: Note) -> tuple[object, ...]:
    at = note.at.isoformat(timespec="milliseconds")
    return (note.revision, at, note.actor, note.reason, note.kind, note.about, _body(note.before), _body(note.after))


def _body(value: object) -> bytes | None:
    return None if value is None else json.dumps(value, ensure_ascii=False).encode()


def _plain(value: object) -> object:
    """Return a column as what JSON can say: a stored object as its document."""
    return json.loads(value) if isinstance(value, bytes) else value
