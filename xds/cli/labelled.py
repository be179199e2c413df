"""`kind: labels` in files for `apply`: a machine described by labels, turned into documents by the control plane.

kind: labels
address: 10.0.0.7
labels: {service: checkout, port: 8080, health: {http: /healthz}}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import typer

from xds.cli.documents import Document
from xds.cli.exits import Exit, Failed, complain

if TYPE_CHECKING:
    from xds.cli.client import Client

KIND: Final = "labels"


def expanded(client: Client, documents: Sequence[Document], *, env: str, name: str) -> list[Document]:
    """Return the documents with those of labels replaced by what they come to; mistakes are told with their lines.

    A machine that its labels keep out ends the command, as any mistake in a file does.
    """
    labelled = [document for document in documents if document.value.get("kind") == KIND]
    if not labelled:
        return list(documents)
    items = [
        {"env": env, **{field: said for field, said in each.value.items() if field != "kind"}} for each in labelled
    ]
    answer = cast(
        "dict[str, Any]", client.post("/v1/labels:describe", {"items": items, **({"set": name} if name else {})})
    )
    for problem in answer["problems"]:
        complain(f"{_place(labelled, problem)}: {problem['severity']}: {problem['detail']}")
    for proposal in answer["proposals"]:
        words = f"{proposal['field']} would be {proposal['wanted']}; {proposal['holds']} holds"
        typer.echo(f"{proposal['service']} {proposal['version']} only proposes: {words}", err=True)
    if any(problem["severity"] == "error" for problem in answer["problems"]):
        raise Failed("nothing was applied", Exit.INVALID)
    made = [
        Document(labelled[source or 0].file, value, {"": labelled[source or 0].spot("")})
        for value, source in zip(answer["documents"], answer["sources"], strict=True)
    ]
    return [document for document in documents if document.value.get("kind") != KIND] + made


def _place(labelled: Sequence[Document], problem: dict[str, Any]) -> str:
    """Return where a label was written: with dots or nested, with its prefix or without."""
    if problem["item"] is None:
        return labelled[0].file
    document, pointer = labelled[problem["item"]], str(problem["pointer"])
    name = pointer.removeprefix("/labels/").removeprefix("fairlead.")
    nested = f"/labels/{name.replace('.', '/')}"
    return str(document.place(nested if nested in document.spots else pointer))
