"""What changed between two looks at a list, told with the events that came between them. Pure.

Events say who changed what; the lists say how it is now, also what nobody declared (health, acknowledgements).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from xds.cli.kinds import Listed
from xds.cli.output import Row

CREATED, CHANGED, REMOVED = "created", "changed", "removed"


@dataclass(frozen=True, slots=True)
class Moved:
    """One object that is other than before; `by` and `revision` are an event's, "" and 0 where nobody declared it."""

    what: str
    key: str
    row: Row | None
    revision: int = 0
    by: str = ""


def moved(
    listed: Listed,
    before: Mapping[str, Row],
    now: Mapping[str, Row],
    events: Iterable[tuple[int, Row]],
    means: Callable[[Row], bool],
) -> Iterator[Moved]:
    """Yield what the events tell, in their order, and after it what is other without one.

    An object that came and went between two looks is told by its events alone, if it is one that is `means`t.
    """
    told = set()
    for revision, change in events:
        key, what = str(change["object"]), str(change["what"])
        row = now.get(key) or before.get(key)
        if row is not None or means(change):
            told.add(key)
            yield Moved(what, key, row, revision, str(change["actor"]))
    for key in [*before, *(key for key in now if key not in before)]:
        if key in told:
            continue
        if key not in now:
            yield Moved(REMOVED, key, before[key])
        elif key not in before:
            yield Moved(CREATED, key, now[key])
        elif _cells(listed, before[key]) != _cells(listed, now[key]):
            yield Moved(CHANGED, key, now[key])


def by_key(listed: Listed, rows: Iterable[Row]) -> dict[str, Row]:
    """Return rows by what tells them apart."""
    return {listed.key(row): row for row in rows}


def _cells(listed: Listed, row: Row) -> list[str]:
    """Return what is shown of a row without `-o wide`: there, a lease that runs down would be a change."""
    return [cell(row) for cell in listed.columns.values()]
