"""What the screen shows: one row for each step, from its call to its verdict. Holds values, draws nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from xds.cli.demo.ledger import Ledger, Window
from xds.cli.demo.verdict import Broken, Gate, Measured


@dataclass(slots=True)
class Row:
    """One step; `weight` is what is wanted, in percent."""

    name: str
    weight: int
    gate: Gate | None = None
    window: Window | None = None
    seen: Measured | None = None
    broken: tuple[Broken, ...] = ()
    note: str = ""
    """What happened in words, where that is more than a weight that moved."""
    is_over: bool = False

    @property
    def title(self) -> str:
        """Return the step's name, with its weight where that tells steps apart."""
        return f"{self.name} {self.weight} %" if self.name == "canary" else self.name

    def tell(self, gate: Gate) -> None:
        """The API said how far the weight has got."""
        self.gate = gate

    def finish(self, seen: Measured, broken: tuple[Broken, ...]) -> None:
        """The step has been judged."""
        self.seen = seen
        self.close(broken)

    def close(self, broken: tuple[Broken, ...]) -> None:
        """It is over, and this did not hold."""
        self.broken, self.is_over = broken, True


@dataclass(slots=True)
class Board:
    """All rows so far. `finished` is called with each row that has been judged."""

    ledger: Ledger
    finished: Callable[[Row], None]
    rows: list[Row] = field(default_factory=list)

    def begin(self, name: str, weight: int) -> Row:
        """Add a step that begins now."""
        row = Row(name, weight)
        self.rows.append(row)
        return row
