"""Breakers as a table: one line per cluster, all Envoys together. Knows the documents of `GET /v1/breakers`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final, cast

from xds.cli.output import Cell, Row, field, text


def _nodes(row: Row) -> list[Row]:
    return cast("list[Row]", row.get("nodes") or [])


def _states(row: Row) -> str:
    """Return in how many Envoys it stands how: `open in 2, closed in 1`."""
    found = Counter(str(node.get("state")) for node in _nodes(row))
    return ", ".join(f"{state} in {count}" for state, count in found.most_common()) or "-"


def _sum(name: str) -> Cell:
    """Return a cell with a count over all Envoys; `-` where none has told anything."""
    return lambda row: text(sum(cast("int", node.get(name) or 0) for node in _nodes(row))) if _nodes(row) else "-"


def _held(row: Row) -> str:
    held = cast("Row", row.get("forced") or {})
    return text(held.get("force"))


BREAKERS: Final[Mapping[str, Cell]] = {
    "cluster": field("cluster"), "service": field("service"), "subset": field("subset"),
    "has a rule": lambda row: "yes" if row.get("rule") else "no", "held": _held, "stands": _states,
    "opens": _sum("opens"), "probes": _sum("probes"), "remapped": _sum("remapped"), "rejected": _sum("rejected"),
}  # fmt: skip
