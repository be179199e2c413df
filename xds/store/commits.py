"""A commit as rows: the state, the journal and the receipts, in the caller's transaction.

This is the hottest writing there is, so an object is encoded once for state and journal, what was before is copied
inside the database, and many rows go in with one statement: each statement lets go of the interpreter, and would wait
for it again behind whatever else runs.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Mapping, Sequence
from itertools import chain

from xds.control.ports import Commit, Kept
from xds.model.intent import Kind, Ref
from xds.store import journal, rows

KEPT_RECEIPTS = 10_000
_AT_ONCE = (256, 64, 16, 4, 1)
"""Rows of one statement. Few different numbers, so that few statements are compiled; each row has nine values at
most, and SQLite takes 32,766."""

_STATE = "INSERT OR REPLACE INTO state VALUES {}", "(?, ?, ?, ?, ?)"
_BEFORE = "coalesce(?, (SELECT body FROM state WHERE id = ?))"
_NEW = "INSERT INTO journal VALUES {}", "(NULL, ?, ?, ?, ?, ?, ?, NULL, ?)"
_JOURNAL = "INSERT INTO journal VALUES {}", f"(NULL, ?, ?, ?, ?, ?, ?, {_BEFORE}, ?)"
_RECEIPT = "INSERT INTO receipt VALUES {}", "(NULL, ?, ?, ?, ?, ?, ?)"

_KINDS = {kind: kind.value for kind in Kind}
"""As plain text: sqlite3 asks all its adapters about any other, which costs as much as the row."""

_Values = Sequence[object]


def write(db: sqlite3.Connection, commit: Commit, ids: dict[Ref, int], next_id: int) -> dict[Ref, int | None]:
    """Write a commit; return which objects have which row from now on (None: none any more).

    `ids` are the rows of the state as it is, `next_id` the first that is free.
    """
    placed: dict[Ref, int | None] = {}
    state: list[_Values] = []
    written: list[_Values] = []
    gone: list[tuple[int]] = []
    bodies: dict[Ref, bytes | None] = {}
    at = journal.stamp(commit.at)
    is_all_new = all(entry.before is None for entry in commit.entries)
    for entry in commit.entries:
        name, key = entry.name, entry.name.key
        kind = _KINDS[name.kind]
        row = ids.get(name)
        after = None
        if entry.after is not None:
            after = rows.write(name.kind, entry.after)
            if row is None:
                row = placed[name] = next_id
                next_id += 1
            state.append((row, kind, key, commit.revision, after))
        elif row is not None:
            gone.append((row,))
            placed[name] = None
        body, before = None, ids.get(name)
        if entry.before is None:
            before = None
        elif before is None:
            body = rows.write(name.kind, entry.before)  # it was held: gone from the state, and known all the same
        was = () if is_all_new else (body, before)
        written.append((commit.revision, at, entry.actor, entry.reason, kind, key, *was, after))
        bodies[name] = after
    _insert(db, _NEW if is_all_new else _JOURNAL, written)  # first: it still finds what was before in the state
    _insert(db, _STATE, state)
    db.executemany("DELETE FROM state WHERE id = ?", gone)
    if commit.forgets:
        db.execute("DELETE FROM receipt")
    if commit.kept:
        _insert(db, _RECEIPT, [_receipt(kept, bodies) for kept in commit.kept])
        db.execute("DELETE FROM receipt WHERE id <= (SELECT max(id) FROM receipt) - ?", (KEPT_RECEIPTS,))
    db.execute("UPDATE revision SET value = ?", (commit.revision,))
    return placed


def _receipt(kept: Kept, bodies: Mapping[Ref, bytes | None]) -> _Values:
    name, declared = kept.receipt.name, kept.receipt.declared
    body = bodies.get(name)
    if body is None and declared is not None:
        body = rows.write(name.kind, declared)
    return (kept.key, kept.fingerprint, _KINDS[name.kind], name.key, kept.receipt.revision, body)


def _insert(db: sqlite3.Connection, statement: tuple[str, str], values: Sequence[_Values]) -> None:
    at = 0
    for size in _AT_ONCE:
        while len(values) - at >= size:
            db.execute(_text(*statement, size), [*chain.from_iterable(values[at : at + size])])
            at += size


@functools.lru_cache(maxsize=64)
def _text(statement: str, row: str, size: int) -> str:
    return statement.format(", ".join([row] * size))
