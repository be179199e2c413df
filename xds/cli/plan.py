"""`plan`: what files would change; and for `diff`, where what is there differs from what they say.

Both end with 0 where nothing differs, 2 where something does, and 1 for whatever went wrong, so that a pipeline can
ask before it applies.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from enum import IntEnum
from typing import TYPE_CHECKING, Annotated, Final, cast

import typer

from xds.cli.apply import Env, Files, Set, bodies_of, complaints, documents_in
from xds.cli.connection import connection
from xds.cli.exits import Failed, complain
from xds.cli.exits import words as words_of
from xds.cli.output import Format, Output, Row, field, print_json, print_table
from xds.model.names import DEFAULT_ENV
from xds.model.problems import FairleadError

if TYPE_CHECKING:
    from xds.cli.documents import Document

AGENTS_SET: Final = "docker"  # in which agents declare what labels say
EPILOG: Final = "Exit codes: 0 nothing differs, 2 something does, 1 anything else."


class Found(IntEnum):
    """How `plan` ends, and `diff` with files."""

    NOTHING = 0
    TROUBLE = 1
    CHANGES = 2


Prune = Annotated[bool, typer.Option("--prune", help="Also what the set declared before and names no more.")]


def plan(
    ctx: typer.Context,
    files: Files,
    name: Set = "",
    prune: Prune = False,
    env: Env = DEFAULT_ENV,
    output: Output = Format.TABLE,
) -> None:
    """Tell what `apply` would change: objects field by field, and the Envoy resources that follow. Nothing is done.

    Of a compose file: what its containers would, once they run; they have addresses of 192.0.2.0/24 here.
    """
    found, documents = _ask(ctx, files, name, env, prune=prune, compose=True)
    if output is Format.JSON:
        print_json(found)
    else:
        _print_objects(_rows(found, "objects"), "+", "-")
        _print_resources(_rows(found, "resources"))
        for problem in _rows(found, "problems"):
            typer.echo(f"new problem: {problem['kind']} {problem['object']}: {problem['message']}", err=True)
    for cost in cast("list[str]", found.get("needs_force") or []):
        complain(f"apply would ask for --force: {cost}")
    _end(found, documents)


def drift(ctx: typer.Context, files: list[str], name: str, env: str, output: Format) -> None:
    """Show where what is there differs from what files say, and end the command as `plan` does."""
    found, documents = _ask(ctx, files, name, env, prune=bool(name))
    objects = [row for row in _rows(found, "objects") if row.get("outcome") != "unchanged"]
    if output is Format.JSON:
        print_json({"objects": [_drift(row) for row in objects]})
    else:
        _print_objects(objects, "-", "+", words=_DRIFT)
    _end(found, documents)


_DRIFT: Final = {"created": "missing", "changed": "differs", "removed": "undeclared", "refused": "refused"}


def _ask(
    ctx: typer.Context, files: list[str], name: str, env: str, *, prune: bool, compose: bool = False
) -> tuple[Row, list[Document]]:
    """Return the control plane's plan for the documents of files; what goes wrong ends with 1, never with 2."""
    from xds.cli.composed import as_labels
    from xds.cli.labelled import expanded

    try:
        documents = documents_in(files, sys.stdin.buffer, may_be_empty=prune, compose=compose)
        if len(said := as_labels(documents)) and said != documents:
            documents, name = said, name or AGENTS_SET
        with connection(ctx).client() as client:
            documents = expanded(client, documents, env=env, name=name)
            body: dict[str, object] = {"documents": bodies_of(documents, env), "prune": prune}
            return client.post("/v1/plan", {**body, **({"set": name} if name else {})}), documents
    except Failed as error:
        raise Failed(str(error)) from None
    except FairleadError as error:
        raise Failed(words_of(error)) from None


def _end(found: Row, documents: list[Document]) -> None:
    """End the command: mistakes in the documents are trouble, whatever else would change."""
    mistakes = complaints(documents, _rows(found, "objects")[: len(documents)])
    for mistake in mistakes:
        complain(mistake)
    if mistakes or found.get("failed"):
        raise typer.Exit(Found.TROUBLE)
    raise typer.Exit(Found.CHANGES if found.get("changes") else Found.NOTHING)


def _print_objects(rows: list[Row], new: str, old: str, words: dict[str, str] | None = None) -> None:
    changing = [row for row in rows if row.get("outcome") != "unchanged"]
    if not changing:
        typer.echo("no object differs", err=True)
    for row in changing:
        outcome = str(row["outcome"])
        typer.echo(f"{(words or {}).get(outcome, outcome)} {row['kind']} {row['name']}")
        for each in _rows(row, "fields"):
            typer.echo(f"    {each['field']}: {old} {_value(each['before'])}  {new} {_value(each['after'])}")


def _print_resources(rows: list[Row]) -> None:
    columns = {
        "change": field("change"), "type": field("type"), "name": field("name"), "for": field("variant"),
        "detail": lambda row: "; ".join(cast("list[str]", row.get("detail") or [])) or "-",
    }  # fmt: skip
    print_table(columns, rows, nothing="no Envoy resource changes")


def _drift(row: Row) -> Row:
    fields = [
        {"field": each["field"], "declared": each["after"], "actual": each["before"]} for each in _rows(row, "fields")
    ]
    return {
        "kind": row["kind"], "name": row["name"], "drift": _DRIFT[str(row["outcome"])], "fields": fields,
        "error": row.get("error"),
    }  # fmt: skip


def _value(value: object) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _rows(found: Row, name: str) -> list[Row]:
    return list(_each(found.get(name)))


def _each(value: object) -> Iterator[Row]:
    yield from (each for each in (value if isinstance(value, list) else ()) if isinstance(each, dict))


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog=EPILOG)(plan)
