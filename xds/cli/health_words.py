"""Documents of health as words, for every screen that shows one."""

from __future__ import annotations

from typing import cast

from xds.cli.output import Row


def decided(row: Row) -> str:
    """Return whose word an instance's health rests on, why, and the numbers that it goes by."""
    verdict = cast("Row", row.get("verdict") or {})
    told = [
        signal
        for signal in cast("list[Row]", verdict.get("signals") or [])
        if signal["source"] == verdict["decided_by"]
    ]
    numbers = [f"{name} {number}" for signal in told for name, number in cast("Row", signal["numbers"]).items()]
    words = f"{verdict.get('decided_by')}: {verdict.get('why')}"
    return f"{words} ({', '.join(numbers)})" if numbers else words
