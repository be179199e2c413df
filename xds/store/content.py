"""What a database of ours holds, read into memory: objects, receipts, what remains. A bad row costs itself."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from xds.control.ports import Kept, Loaded, Receipt
from xds.model.intent import Declared, Kind, Ref
from xds.model.problems import FairleadError, Problem
from xds.store import remains, rows

_KINDS = {kind.value: kind for kind in Kind}


@dataclass(frozen=True, slots=True)
class Content:
    """What was loaded, and which row of the table holds which object; `next_id` is free."""

    loaded: Loaded
    ids: dict[Ref, int]
    next_id: int


def load(db: sqlite3.Connection) -> Content:
    """Return everything; a row that cannot be read is reported and left in place."""
    objects: list[tuple[Declared, int]] = []
    problems: list[Problem] = []
    ids: dict[Ref, int] = {}
    next_id = 1
    for row_id, kind, key, revision, body in db.execute("SELECT id, kind, key, revision, body FROM state ORDER BY id"):
        next_id = row_id + 1
        known = _KINDS.get(kind)
        if known is not None:  # readable or not: whoever declares it anew replaces this row
            ids[Ref(known, key)] = row_id
        try:
            objects.append((rows.read(kind, body), int(revision)))
        except (FairleadError, ValueError) as error:
            problems.append(Problem(str(kind), str(key), "", f"{error}; the row is left as it is"))
    revision = int(db.execute("SELECT value FROM revision").fetchone()[0])
    loaded = Loaded(tuple(objects), revision, tuple(_receipts(db)), tuple(problems), remains.load(db))
    return Content(loaded, ids, next_id)


def _receipts(db: sqlite3.Connection) -> Iterator[Kept]:
    """Yield the receipts, oldest first. One that cannot be read is as good as forgotten."""
    query = "SELECT key, fingerprint, kind, object, revision, body FROM receipt ORDER BY id"
    for key, fingerprint, kind, name, revision, body in db.execute(query):
        with contextlib.suppress(FairleadError, ValueError):
            declared = rows.read(kind, body) if body is not None else None
            yield Kept(key, fingerprint, Receipt(Ref(Kind(kind), name), declared, int(revision)))
