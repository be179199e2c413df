"""`apply`: files of services, policies, routes, gateways and instances, judged as a whole before any of it is done."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, cast

import typer

from xds.cli.connection import connection
from xds.cli.exits import INVALID, Exit, Failed, complain
from xds.cli.output import Format, Output, Row, field, print_json, print_table
from xds.model.names import DEFAULT_ENV

if TYPE_CHECKING:
    from xds.cli.client import Client
    from xds.cli.documents import Document

Files = Annotated[
    list[str], typer.Option("-f", "--file", metavar="PATH", help="YAML or JSON, a folder of such, or - for stdin.")
]
Env = Annotated[
    str, typer.Option("--env", envvar="FAIRLEAD_ENV", metavar="NAME", help="For documents that name no environment.")
]
Set = Annotated[str, typer.Option("--set", metavar="NAME", help="Own the objects as this set instead of as yourself.")]


def apply(
    ctx: typer.Context,
    files: Files,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and do nothing.")] = False,
    env: Env = DEFAULT_ENV,
    name: Set = "",
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove what the set declared before and the files name no more.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Prune also the whole set, and the last who serve somebody's users.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Declare what files say. Everything is checked first; one mistake and nothing is applied.

    A file holds documents, divided by `---`, each with a `kind`: service, policy, instance, route, gateway, or labels
    for a machine that says all of it by labels. Applying the same again changes nothing. `fairlead plan` tells
    beforehand what would change.
    """
    from xds.cli.labelled import expanded

    documents = documents_in(files, sys.stdin.buffer, may_be_empty=prune)
    if prune and not name:
        raise Failed("--prune needs --set: only what a set declared before is removed", Exit.INVALID)
    with connection(ctx).client() as client:
        documents = expanded(client, documents, env=env, name=name)
        said: dict[str, object] = {"documents": bodies_of(documents, env), **({"set": name} if name else {})}
        if prune:
            said |= {"prune": True, "force": force}
        results = _send(client, documents, {**said, "dry_run": True})
        _stop_at_mistakes(documents, results, output, "nothing was applied")
        if not dry_run:
            results = _send(client, documents, {**said, "dry_run": False})
            # What was fine a moment ago may have been overtaken by somebody else's change.
            _stop_at_mistakes(documents, results, output, "the other documents were applied")
    if output is Format.JSON:
        print_json({"results": results, "dry_run": dry_run})
        return
    columns = {"kind": field("kind"), "name": field("name"), "outcome": field("outcome"), "revision": field("revision")}
    print_table(columns, results, nothing="nothing to do")
    if dry_run:
        typer.echo("dry run: nothing was changed", err=True)


def documents_in(
    files: Sequence[str], stdin: Iterable[bytes], *, may_be_empty: bool = False, compose: bool = False
) -> list[Document]:
    """Return the documents of files, with `compose` also of compose files; Failed where there is none."""
    from xds.cli.documents import read_files

    documents = read_files(files, stdin, compose=compose)
    if not documents and not may_be_empty:
        raise Failed("there is no document in " + ", ".join(files), Exit.INVALID)
    return documents


def bodies_of(documents: Iterable[Document], env: str) -> list[dict[str, object]]:
    """Return documents as they are sent, each with its environment."""
    return [{"env": env, **document.value} for document in documents]


def complaints(documents: Iterable[Document], results: Iterable[Row]) -> list[str]:
    """Return `file:line: kind name: field: what is wrong` for everything that was refused."""
    found = []
    for document, result in zip(documents, results, strict=True):
        error = cast("dict[str, object] | None", result.get("error"))
        if not error:
            continue
        several = cast("list[dict[str, object]]", error.get("errors") or [error])
        for each in several:
            pointer = str(each.get("pointer") or "")
            parts = [document.place(pointer), _whose(result), pointer, str(each.get("detail") or error.get("title"))]
            found.append(": ".join(part for part in parts if part))
    return found


def _send(client: Client, documents: Sequence[Document], body: dict[str, object]) -> list[Row]:
    """Return one result for each document, then those of what is pruned."""
    answer = client.post("/v1/apply", body)
    results, pruned = answer.get("results"), answer.get("pruned") or []
    if not isinstance(results, list) or len(results) != len(documents) or not isinstance(pruned, list):
        raise Failed("the control plane answered something else than one result for each document")
    return [*results, *pruned]


def _stop_at_mistakes(documents: Sequence[Document], results: Sequence[Row], output: Format, ending: str) -> None:
    """End the command when something was refused; with 2 if any of it can never work, else with 1."""
    refused = complaints(documents, results[: len(documents)])
    for result in results[len(documents) :]:
        if error := cast("dict[str, object] | None", result.get("error")):
            refused.append(f"{_whose(result)}: {error.get('detail') or error.get('title')}")
    if not refused:
        return
    if output is Format.JSON:
        print_json({"results": results})
    for complaint in refused:
        complain(complaint)
    complain(f"{len(refused)} mistakes; {ending}" if len(refused) > 1 else ending)
    errors = [cast("dict[str, object]", result["error"]) for result in results if result.get("error")]
    raise typer.Exit(Exit.INVALID if any(error.get("status") in INVALID for error in errors) else Exit.REFUSED)


def _whose(result: Row) -> str:
    return " ".join(str(result[part]) for part in ("kind", "name") if result.get(part))


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(apply)
