"""`apply`: files of services, routes, gateways and instances, judged as a whole before any of it is done."""

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


def apply(
    ctx: typer.Context,
    files: Annotated[
        list[str], typer.Option("-f", "--file", metavar="PATH", help="YAML or JSON, a folder of such, or - for stdin.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and do nothing.")] = False,
    env: Annotated[
        str,
        typer.Option("--env", envvar="FAIRLEAD_ENV", metavar="NAME", help="For documents that name no environment."),
    ] = DEFAULT_ENV,
    name: Annotated[str, typer.Option("--set", help="Own the objects as this set instead of as yourself.")] = "",
    output: Output = Format.TABLE,
) -> None:
    """Declare what files say. Everything is checked first; one mistake and nothing is applied.

    A file holds documents, divided by `---`, each with a `kind`: service, instance, route, gateway, or labels for a
    machine that says all of it by labels. Applying the same again changes nothing.
    """
    from xds.cli.documents import read_files
    from xds.cli.labelled import expanded

    documents = read_files(files, sys.stdin.buffer)
    if not documents:
        raise Failed("there is no document in " + ", ".join(files), Exit.INVALID)
    with connection(ctx).client() as client:
        documents = expanded(client, documents, env=env, name=name)
        results = _send(client, documents, env=env, name=name, dry_run=True)
        _stop_at_mistakes(documents, results, output, "nothing was applied")
        if not dry_run:
            results = _send(client, documents, env=env, name=name, dry_run=False)
            # What was fine a moment ago may have been overtaken by somebody else's change.
            _stop_at_mistakes(documents, results, output, "the other documents were applied")
    if output is Format.JSON:
        print_json({"results": results, "dry_run": dry_run})
        return
    columns = {"kind": field("kind"), "name": field("name"), "outcome": field("outcome"), "revision": field("revision")}
    print_table(columns, results, nothing="nothing to do")
    if dry_run:
        typer.echo("dry run: nothing was changed", err=True)


def _send(client: Client, documents: Sequence[Document], *, env: str, name: str, dry_run: bool) -> list[Row]:
    bodies = [{"env": env, **document.value} for document in documents]
    body: dict[str, object] = {"documents": bodies, "dry_run": dry_run, **({"set": name} if name else {})}
    results = client.post("/v1/apply", body).get("results")
    if not isinstance(results, list) or len(results) != len(documents):
        raise Failed("the control plane answered something else than one result for each document")
    return results


def _complaints(documents: Iterable[Document], results: Iterable[Row]) -> list[str]:
    """Return `file:line: kind name: field: what is wrong` for everything that was refused."""
    found = []
    for document, result in zip(documents, results, strict=True):
        error = cast("dict[str, object] | None", result.get("error"))
        if not error:
            continue
        whose = " ".join(str(result[part]) for part in ("kind", "name") if result.get(part))
        several = cast("list[dict[str, object]]", error.get("errors") or [error])
        for each in several:
            pointer = str(each.get("pointer") or "")
            parts = [document.place(pointer), whose, pointer, str(each.get("detail") or error.get("title"))]
            found.append(": ".join(part for part in parts if part))
    return found


def _stop_at_mistakes(documents: Sequence[Document], results: Sequence[Row], output: Format, ending: str) -> None:
    """End the command when something was refused; with 2 if any of it can never work, else with 1."""
    complaints = _complaints(documents, results)
    if not complaints:
        return
    if output is Format.JSON:
        print_json({"results": results})
    for complaint in complaints:
        complain(complaint)
    complain(f"{len(complaints)} mistakes; {ending}" if len(complaints) > 1 else ending)
    errors = [cast("dict[str, object]", result["error"]) for result in results if result.get("error")]
    raise typer.Exit(Exit.INVALID if any(error.get("status") in INVALID for error in errors) else Exit.REFUSED)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(apply)
