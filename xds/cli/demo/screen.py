"""The live screen: a table on a terminal, one plain line a step anywhere else.

Draws what is on the board and decides nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from xds.cli.demo.board import Board, Row
from xds.cli.demo.ledger import Ledger

REFRESH = 0.1  # seconds


class Screen:
    """Shows one board on one console."""

    def __init__(self, console: Console) -> None:
        """Draw a live table if `console` is a terminal."""
        self.console = console
        self._live: Live | None = None

    def say(self, text: str) -> None:
        """Write one line, above the table if there is one."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def finished(self, row: Row) -> None:
        """Write a judged step where there is no table."""
        if self._live is None:
            self.say(plain(row))

    @contextmanager
    def showing(self, board: Board) -> Iterator[None]:
        """Keep the table on the screen, and leave its last state there."""
        if not self.console.is_terminal:
            yield
            return
        # Drawn by `run` on the event loop: a thread of rich's own would draw a board that is being changed.
        with Live(draw(board, 0.0), console=self.console, auto_refresh=False) as live:
            self._live = live
            try:
                yield
            finally:
                live.update(draw(board, 0.0), refresh=True)
                self._live = None

    async def run(self, board: Board) -> None:
        """Redraw until cancelled."""
        clock = asyncio.get_running_loop().time
        last, seen = clock(), board.ledger.requests
        rate = 0.0
        while True:
            await asyncio.sleep(REFRESH)
            now = clock()
            if now - last >= 1:
                rate = (board.ledger.requests - seen) / (now - last)
                last, seen = now, board.ledger.requests
            if self._live is not None:
                self._live.update(draw(board, rate), refresh=True)


def draw(board: Board, rate: float) -> RenderableType:
    """Return the table of all steps, and the sums under it; `rate` is requests per second, 0 for none to show."""
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold underline")  # fits into 80 columns
    for at, heading in enumerate((*_COLUMNS[:6], f"users at {board.ledger.new}", *_COLUMNS[6:])):
        table.add_column(heading, justify="right" if at else "left", no_wrap=True)
    for row in board.rows:
        style = "bold red" if row.broken else "green" if row.is_over else "bold"
        table.add_row(*cells(row, board.ledger), style=style)
    notes = [Text(f"{row.title}: {row.note}") for row in board.rows if row.note]
    return Group(Text(), table, Text(), *notes, Text(sums(board.ledger, rate)))


_COLUMNS = ("step", "wanted", "ACKed", "after", "requests", "share", "went back", "failed")


def cells(row: Row, ledger: Ledger) -> tuple[str, ...]:
    """Return a row's cells; a step that is not judged yet shows what is known so far."""
    gate, window, seen = row.gate, row.window, row.seen
    answered = sum(window.by_version.values()) if window else 0
    share = 100 * window.by_version.get(ledger.new, 0) / answered if window and answered else None
    at_new = sum(version == ledger.new for version in window.users.values()) if window else 0
    return (
        row.name,
        f"{row.weight} %",
        f"{gate.acked} of {gate.live}" if gate else "",
        f"{gate.seconds * 1000:.0f} ms" if gate and gate.seconds else "",
        f"{window.answered:,}" if window else "",
        f"{share:.2f} %" if share is not None else "",
        f"{at_new:,}/{seen.users_wanted:,}" if seen else "",
        str(ledger.went_back.number) if seen is None else seen.went_back.partition(" ")[0],
        str(ledger.failed.number) if seen is None else seen.failed.partition(" ")[0],
    )


def sums(ledger: Ledger, rate: float) -> str:
    """Return the line under the table."""
    speed = f" ({rate:,.0f} a second)" if rate else ""
    return (
        f"{len(ledger.users):,} users · {ledger.requests:,} requests{speed} · "
        f"{ledger.went_back.number} went back · {ledger.failed.number} failed"
    )


def plain(row: Row) -> str:
    """Return a judged step as one line of text."""
    seen, verdict = row.seen, "BROKEN" if row.broken else "held  "
    if seen is None:
        return f"{verdict} {row.title:<12} {row.note}"
    took = f" after {seen.gate.seconds * 1000:.0f} ms" if seen.gate.seconds else ""
    return (
        f"{verdict} {row.title:<12} wanted {row.weight:>3} %, "
        f"ACKed by {seen.gate.acked} of {seen.gate.live}{took}; "
        f"share {seen.share:.2f} % of {seen.requests:,} requests, "
        f"{seen.users_seen:,} of {seen.users_wanted:,} users there; "
        f"{seen.went_back.partition(' ')[0]} went back, {seen.failed.partition(' ')[0]} failed"
    )
