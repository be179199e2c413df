"""Where a watch is shown: a table that is drawn again on a terminal, a line for each change anywhere else."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import typer

from xds.cli.changes import Moved
from xds.cli.exits import complain
from xds.cli.output import Cell, Row, table

Show = Callable[[Sequence[Row], Iterable[Moved], str], None]
"""Shows how things are, what has just changed, and what is wrong with the way here ("" for nothing)."""


@contextmanager
def screen(plural: str, columns: Mapping[str, Cell], *, as_json: bool) -> Iterator[Show]:
    """Return how to show the objects of a kind, until the end."""
    if sys.stdout.isatty() and not as_json:
        yield from _drawn(plural, columns)
        return
    lines = _Lines(columns, as_json=as_json)
    yield lines.show


def _drawn(plural: str, columns: Mapping[str, Cell]) -> Iterator[Show]:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    console = Console(markup=False, highlight=False, emoji=False)
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:

        def show(rows: Sequence[Row], changes: Iterable[Moved], trouble: str) -> None:
            latest = next((words for moved in reversed(list(changes)) if (words := _by(moved))), "")
            head = Text(f"{len(rows)} {plural}  {latest}", style="dim") if not trouble else Text(trouble, style="red")
            live.update(Group(head, table(columns, rows)), refresh=True)

        yield show


class _Lines:
    """One line for each change, as wide as the first list was."""

    def __init__(self, columns: Mapping[str, Cell], *, as_json: bool) -> None:
        self._columns = columns
        self._json = as_json
        self._widths: list[int] = []
        self._trouble = ""

    def show(self, rows: Sequence[Row], changes: Iterable[Moved], trouble: str) -> None:
        if trouble != self._trouble:
            complain(trouble or "it goes on")
            self._trouble = trouble
        if not self._widths:
            names = [name.upper() for name in self._columns]
            cells = [names, *(self._cells(row) for row in rows)]
            self._widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
            if not self._json:
                typer.echo(self._line("WHAT", names))
        for moved in changes:
            typer.echo(self._document(moved) if self._json else self._text(moved))
        sys.stdout.flush()

    def _cells(self, row: Row) -> list[str]:
        return [cell(row) for cell in self._columns.values()]

    def _line(self, what: str, cells: Sequence[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, self._widths, strict=True))
        return "  ".join((what.ljust(7), *padded)).rstrip()

    def _text(self, moved: Moved) -> str:
        first = [moved.key, *[""] * (len(self._widths) - 1)]
        line = self._line(moved.what, first if moved.row is None else self._cells(moved.row))
        return f"{line}  {words}" if (words := _by(moved)) else line

    def _document(self, moved: Moved) -> str:
        said = {"what": moved.what, "key": moved.key, "revision": moved.revision or None, "by": moved.by or None}
        return json.dumps({**said, "object": moved.row}, ensure_ascii=False)


def _by(moved: Moved) -> str:
    """Return which revision a change is of, and who made it."""
    return f"r{moved.revision} {moved.what} {moved.key} by {moved.by}" if moved.revision else ""
