"""The journal as it is read: by time, service and object, and what stood at a moment.

It reads through a connection and in a thread of its own, so a long answer holds up no commit, and a writer that hangs
no answer. What it returns is of one moment of the database.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from xds.control.ports import Change, JournalQuery, Moment, Revision
from xds.model.health import Health
from xds.model.intent import Declared, Kind, Ref
from xds.model.problems import FairleadError, Gone, Problem, Unavailable
from xds.store import rows
from xds.store.journal import SERVICE, indexed, stamp

COLUMNS = ("id", "revision", "at", "actor", "reason", "kind", "key", "before", "after")

_T = TypeVar("_T")
_ROW = f"journal.id, revision, at, actor, reason, kind, key, before, after, {SERVICE}"
_DECLARED = "('" + "', '".join(Kind) + "')"
_KINDS = frozenset(Kind)
_TICK = timedelta(milliseconds=1)


class History:
    """Answers out of the database in `path`; opens it when first asked."""

    def __init__(self, path: Path) -> None:
        """Open nothing yet."""
        self._path = path
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fairlead-history")

    async def journal(self, query: JournalQuery) -> list[Mapping[str, object]]:
        """Return the rows that a query asks for, oldest first."""
        return await self._run(lambda db: [_document(row) for row in _rows(db, query)])

    async def revisions(self, after: int, limit: int) -> list[Revision]:
        """Return what each revision above `after` changed, in order, `limit` changes at least if there are so many.

        Gone when the journal does not reach back that far.
        """
        return await self._run(lambda db: _revisions(db, after, limit))

    async def moment(self, at: datetime) -> Moment:
        """Return what was declared at a moment; Gone for one before the journal begins."""
        return await self._run(lambda db: _moment(db, at))

    def close(self) -> None:
        """Wait for the answer that is being made."""
        self._reader.shutdown()

    async def _run(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        def read() -> _T:
            with _reading(self._path) as db:
                return work(db)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._reader, read)
        except (sqlite3.Error, ValueError) as error:
            raise Unavailable(f"the journal cannot be read: {error}", code="store") from error


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database for reading, and see one moment of it."""
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)) as db:
        db.execute("BEGIN")
        yield db


def _rows(db: sqlite3.Connection, query: JournalQuery) -> list[tuple[object, ...]]:
    """Return rows within the bounds: those indexed under a term by the index, the newest by looking through them."""
    first, last = _span(db)
    lowest = max(first, query.after + 1)
    ranges = [
        (max(lowest, start), stop)
        for start, stop in _between(db, first, last, query.since, query.until)
        if stop >= lowest
    ]
    found: list[tuple[object, ...]] = []
    for start, stop in ranges:
        found += _range(db, query, start, stop, query.limit - len(found))
        if len(found) >= query.limit:
            break
    return found


def _range(db: sqlite3.Connection, query: JournalQuery, start: int, stop: int, limit: int) -> list[tuple[object, ...]]:
    where, values = ["journal.id BETWEEN :start AND :stop"], dict[str, object](start=start, stop=stop, limit=limit)
    if query.kind:
        where.append("kind = :kind")
        values["kind"] = query.kind
    terms = {"object": query.about, "service": query.service}
    term = next((f"{name} {value}" for name, value in terms.items() if value), "")
    if query.about:
        where.append("key = :about")
        values["about"] = query.about
    if query.service:
        where.append(f"{SERVICE} = :service")
        values["service"] = query.service
    chosen = " AND ".join(where)
    if not term:
        all_ = f"SELECT {_ROW} FROM journal WHERE {chosen} ORDER BY journal.id LIMIT :limit"  # noqa: S608 - made of constants
        return db.execute(all_, values).fetchall()
    mark = indexed(db)
    values |= {"term": term, "mark": mark}
    by_index = f"SELECT {_ROW} FROM journal_about JOIN journal ON journal.id = journal_about.id WHERE about = :term"  # noqa: S608 - made of constants
    by_index += f" AND journal_about.id BETWEEN :start AND min(:stop, :mark) AND {chosen}"
    newest = f"SELECT {_ROW} FROM journal WHERE journal.id > :mark AND {chosen}"  # noqa: S608 - made of constants
    found: list[tuple[object, ...]] = []
    for side in (by_index, newest) if stop > mark else (by_index,):
        found += db.execute(f"{side} ORDER BY journal.id LIMIT :limit", values).fetchall()
    return found[:limit]


def _span(db: sqlite3.Connection) -> tuple[int, int]:
    """Return the first and the last id; (1, 0) for an empty journal."""
    first, last = db.execute("SELECT (SELECT min(id) FROM journal), (SELECT max(id) FROM journal)").fetchone()
    return (int(first), int(last)) if first is not None else (1, 0)


def _between(
    db: sqlite3.Connection, first: int, last: int, since: datetime | None, until: datetime | None
) -> Iterator[tuple[int, int]]:
    """Yield the ranges of ids whose time is in [since, until): one, or one for each time the clock was set back."""
    starts = [
        first,
        *(int(row[0]) for row in db.execute("SELECT id FROM journal_rewind WHERE id > ? ORDER BY id", (first,))),
    ]
    for start, stop in zip(starts, [*(each - 1 for each in starts[1:]), last], strict=True):
        lower = start if since is None else _search(db, "at", stamp(since), start, stop)
        upper = stop + 1 if until is None else _search(db, "at", stamp(until), start, stop)
        if lower < upper:
            yield lower, upper - 1


def _search(db: sqlite3.Connection, column: str, value: object, first: int, last: int) -> int:
    """Return the first id from `first` whose column is not below `value`, `last + 1` for none; the column ascends."""
    query = f"SELECT {column} FROM journal WHERE id >= ? ORDER BY id LIMIT 1"  # noqa: S608 - made of constants
    low, high = first, last + 1
    while low < high:
        middle = (low + high) // 2
        if db.execute(query, (middle,)).fetchone()[0] < value:
            low = middle + 1
        else:
            high = middle
    return low


def _revisions(db: sqlite3.Connection, after: int, limit: int) -> list[Revision]:
    first, last = _span(db)
    start = _search(db, "revision", after + 1, first, last)
    if start == first and first > 1 and _earliest(db) > after + 1:
        raise Gone(f"the journal does not reach back to revision {after}: list what there is, and go on from there")
    query = f"SELECT {_ROW} FROM journal WHERE journal.id >= ? AND kind IN {_DECLARED} ORDER BY journal.id"  # noqa: S608 - made of constants
    found: list[Revision] = []
    changes: list[Change] = []
    seen = 0
    with closing(db.execute(query, (start,))) as cursor:
        for _, revision, at, actor, reason, kind, key, before, after_, service in cursor:
            if not found or found[-1].number != revision:
                if seen >= limit:
                    break
                changes = []
                found.append(Revision(int(revision), str(at), changes))
            changes.append(
                Change(str(kind), str(key), str(service or ""), _word(before, after_), str(actor), str(reason))
            )
            seen += 1
    return found


def _earliest(db: sqlite3.Connection) -> int:
    found = db.execute("SELECT revision FROM journal ORDER BY id LIMIT 1").fetchone()
    return int(found[0]) if found else 0


def _word(before: object, after: object) -> str:
    return "created" if before is None else "removed" if after is None else "changed"


def _moment(db: sqlite3.Connection, at: datetime) -> Moment:
    """Go back from what is there now: of each object that changed since, what its first change found."""
    first, last = _span(db)
    passed = max((stop for _, stop in _between(db, first, last, None, _next(at))), default=first - 1)
    if passed < first and first > 1:
        raise Gone(f"the journal begins after {stamp(at)}: that moment is no longer known")
    bodies: dict[tuple[str, str], bytes] = {
        (kind, key): body for kind, key, body in db.execute("SELECT kind, key, body FROM state ORDER BY id")
    }
    undone: dict[tuple[str, str], bytes | None] = {}
    health: dict[str, Health] = {}
    for kind, key, before in db.execute("SELECT kind, key, before FROM journal WHERE id > ? ORDER BY id", (passed,)):
        if kind == "health":
            if key not in health and before is not None:
                health[key] = Health(json.loads(before)["health"])
        else:
            undone.setdefault((kind, key), before)
    revision = int(db.execute("SELECT value FROM revision").fetchone()[0])
    found = db.execute("SELECT revision, at FROM journal WHERE id <= ? ORDER BY id DESC LIMIT 1", (passed,)).fetchone()
    if passed < last:
        revision = int(found[0]) if found else 0
    objects: dict[Ref, Declared] = {}
    problems: list[Problem] = []
    for (kind, key), body in (bodies | undone).items():
        if kind not in _KINDS or body is None:
            continue
        try:
            objects[Ref(Kind(kind), key)] = rows.read(kind, body)
        except (FairleadError, ValueError) as error:
            problems.append(Problem(kind, key, "", str(error)))
    return Moment(revision, str(found[1]) if found else "", objects, health, tuple(problems))


def _next(at: datetime) -> datetime:
    """Return the next moment that the journal can tell apart: what happened at `at` had happened then."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000) + _TICK


def _document(row: tuple[object, ...]) -> Mapping[str, object]:
    named = dict(zip(COLUMNS, row[:-1], strict=True))
    named["before"], named["after"] = _plain(named["before"]), _plain(named["after"])
    return {**named, "service": row[-1] or ""}


def _plain(value: object) -> object:
    """Return a column as what JSON can say: a stored object as its document."""
    return json.loads(value) if isinstance(value, bytes) else value
