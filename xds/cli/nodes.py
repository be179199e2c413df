"""Nodes as tables: one line per Envoy in a list, one line per resource type of a single one.

Knows the documents of `GET /v1/nodes`, where a list has numbers, and of `GET /v1/nodes/{id}`, which has names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

import typer

from xds.cli.output import Cell, Row, console_print, field, table, text

SHOWN: Final = 5
"""Names that one cell shows before it counts the rest."""


def _types(row: Row) -> Mapping[str, Row]:
    return cast("Mapping[str, Row]", row.get("types") or {})


def _sum(key: str) -> Cell:
    """Return a cell with the sum of a number over all types; nothing to do is `-`."""
    return lambda row: text(sum(cast("int", held.get(key) or 0) for held in _types(row).values()) or None)


def _acked(row: Row) -> str:
    return f"{_sum('acked')(row)} of {_sum('sent')(row)}"


def _words(held: Row) -> str:
    nack = cast("Row", held.get("nack") or {})
    return text(str(nack.get("message", "")).strip())


def _refused(row: Row) -> str:
    return "; ".join(f"{name}: {_words(held)}" for name, held in _types(row).items() if held.get("nack")) or "-"


def _asked(held: Row) -> str:
    names = cast("list[str]", held.get("names") or [])
    if not held.get("wildcard"):
        return _few(names)
    return f"everything, {_few(names)}" if names else "everything"


def _few(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return text(names[:SHOWN]) + more


def _names(key: str) -> Cell:
    return lambda held: _few(cast("list[str]", held.get(key) or []))


def _held(held: Row) -> str:
    sent, acked = (cast("dict[str, str]", held.get(key) or {}) for key in ("sent", "acked"))
    return f"{sum(acked.get(name) == version for name, version in sent.items())} of {len(sent)}"


def _tally(key: str) -> Cell:
    return lambda held: text(cast("Row", held.get("tally") or {}).get(key))


LISTED: Final[Mapping[str, Cell]] = {
    "id": field("id"), "role": field("role"), "env": field("env"),
    "serves": lambda row: text(row.get("gateway") or row.get("service")), "envoy": field("version"),
    "state": field("state"), "acked": _acked, "owed": _sum("owed"), "parked": _sum("parked"),
    "held back": _sum("held_back"), "refused": _refused,
}  # fmt: skip
"""The columns of a list of nodes."""

WIDE: Final[Mapping[str, Cell]] = {
    "cluster": field("cluster"), "peer": field("peer"), "gone for": field("closed_for"),
    "sees by": lambda row: text(cast("Row", row.get("group") or {}).get("because")),
}  # fmt: skip
"""Those that only `-o wide` shows."""

TYPES: Final[Mapping[str, Cell]] = {
    "type": field("type"), "asked": _asked, "acked": _held, "unanswered": field("pending_for"),
    "owed": _names("owed"), "parked": _names("parked"), "held back": _names("held_back"),
    "pushes": _tally("pushes"), "nacks": _tally("nacks"), "answered in": _tally("answered_in"), "refused": _words,
}  # fmt: skip
"""The columns of one node, a line per type."""


BREAKERS: Final[Mapping[str, Cell]] = {
    "breaker": field("cluster"), "state": field("state"), "opens": field("opens"), "probes": field("probes"),
    "remapped": field("remapped"), "rejected": field("rejected"),
}  # fmt: skip
"""The columns of one node's breakers, a line for each."""


def print_node(node: Row) -> None:
    """Print one node: who it is, how it stands to each type, and how its breakers stand."""
    seen = "connected" if node.get("connected") else f"gone for {text(node.get('closed_for'))}"
    serves = text(node.get("gateway") or node.get("service"))
    typer.echo(
        f"{node['id']}  {node['role']} of {node['env']}/{serves}  {text(node.get('version'))}  {node['state']}, {seen}"
    )
    rows: list[Row] = [{"type": name, **held} for name, held in _types(node).items()]
    if rows:
        console_print(table(TYPES, rows))
    else:
        typer.echo("it has not asked for anything yet")
    breakers = cast("list[Row]", node.get("breakers") or [])
    if breakers:
        console_print(table(BREAKERS, breakers))
