"""`import`: files of Istio as documents of ours, on standard output, and what did not map on standard error."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from xds.cli.exits import Exit, Failed, complain
from xds.cli.output import print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xds.istio.importing import Imported


class ImportFormat(StrEnum):
    """How to write what was imported."""

    YAML = "yaml"
    JSON = "json"


def import_files(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="YAML of Istio, a folder of such, or - for stdin.")
    ],
    style: Annotated[ImportFormat, typer.Option("--format", help="Documents, or documents and report in one.")] = (
        ImportFormat.YAML
    ),
) -> None:
    """Turn Istio's VirtualService and DestinationRule into documents for `apply`.

    What did not map is reported with its place. Ends with 0 where everything did, and with 1 where something did not:
    read it before you apply the rest.
    """
    from xds.cli.documents import read_files, to_yaml
    from xds.istio.importing import import_istio

    documents = read_files(files, sys.stdin.buffer)
    if not documents:
        raise Failed("there is no document in " + ", ".join(files), Exit.INVALID)
    imported = import_istio([document.value for document in documents])
    refused = _judged(imported)
    report = [
        (documents[left.document].spot(left.pointer), documents[left.document].file, left) for left in imported.left
    ]
    if style is ImportFormat.JSON:
        left = [
            {"file": file, "line": spot.line, "column": spot.column, "pointer": each.pointer, "why": each.why}
            for spot, file, each in report
        ]
        print_json({"documents": imported.documents, "left": left, "refused": refused})
    else:
        typer.echo("---\n".join(to_yaml(document) for document in imported.documents), nl=False)
        for spot, file, each in report:
            typer.echo(f"{file}:{spot.line}:{spot.column}: did not map: {each.pointer or '/'}: {each.why}", err=True)
    for words in refused:
        complain(words)
    raise typer.Exit(Exit.INVALID if refused else Exit.REFUSED if report else Exit.DONE)


def _judged(imported: Imported) -> Sequence[str]:
    """Return what the API would refuse of the documents, by the API's own schemas."""
    from xds.api.convert.documents import read_document
    from xds.model.problems import FairleadError

    judged = [(document, read_document(document, "import")) for document in imported.documents]
    return [
        f"{document['kind']} {document['name']}: {error.pointer}: {error.message}"
        for document, error in judged
        if isinstance(error, FairleadError)
    ]


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("import")(import_files)
