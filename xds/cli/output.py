"""Output: tables for people, JSON for programs, nothing else on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

Row = Mapping[str, object]
Cell = Callable[[Row], str]


class Format(StrEnum):
    """How to print."""

    TABLE = "table"
    JSON = "json"


class Listing(StrEnum):
    """How to print objects."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


Output = Annotated[Format, typer.Option("-o", "--output", help="A table for people, or JSON for programs.")]


ListingOutput = Annotated[
    Listing, typer.Option("-o", "--output", help="A table, one with more columns, or documents for programs.")
]


def print_json(document: object) -> None:
    """Print one document as JSON, indented; the same document always prints the same."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def print_yaml(document: object) -> None:
    """Print one document as YAML."""
    from ruamel.yaml import YAML

    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # declared as None, read as a truth
    writer.dump(document, sys.stdout)


def print_table(columns: Mapping[str, Cell], rows: Iterable[Row], *, nothing: str) -> None:
    """Print rows in columns, or the sentence `nothing` on standard error."""
    found = list(rows)
    if not found:
        typer.echo(nothing, err=True)
        return
    console_print(table(columns, found))


def table(columns: Mapping[str, Cell], rows: Sequence[Row]) -> Table:
    """Return a table without lines: what is left is text that `awk` can read."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    for name in columns:
        made.add_column(name.upper(), overflow="fold")
    for row in rows:
        made.add_row(*(cell(row) for cell in columns.values()))
    return made


def console_print(what: object) -> None:
    """Print something rich; wide enough for anything where no terminal limits it. Markup in data stays text."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 240
    Console(width=width, markup=False, highlight=False, emoji=False).print(what)


def field(name: str) -> Cell:
    """Return a cell with the text of one field; missing, null and empty are `-`."""
    return lambda row: text(row.get(name))


def text(value: object) -> str:
    """Return a value as one cell."""
    match value:
        case None | "" | [] | {}:
            return "-"
        case bool():
            return "yes" if value else "no"
        case dict():
            return ",".join(f"{key}={inner}" for key, inner in value.items())
        case list():
            return ",".join(text(inner) for inner in value)
        case _:
            return str(value)


def weights(value: object) -> str:
    """Return weights in percent, by subset or as a list of {subset, weight}: `v1 95 % · v2 5 %`."""
    if isinstance(value, list):
        pairs = [(each.get("subset"), each.get("weight")) for each in value if isinstance(each, dict)]
    elif isinstance(value, dict):
        pairs = list(value.items())
    else:
        return "-"
    return " · ".join(f"{subset} {weight} %" for subset, weight in pairs) or "-"
