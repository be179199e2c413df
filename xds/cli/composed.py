"""Compose files for `plan`: each service that labels itself as a document of kind `labels`, as if its container ran.

Addresses are of a range for documentation (RFC 5737): no file knows those that an engine gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Final

from xds.cli.documents import Document, Spot
from xds.cli.labelled import KIND
from xds.cli.lint.compose import is_compose, label_sets
from xds.cli.lint.labels import LabelSet
from xds.labels.reading import ours_among
from xds.labels.table import PORT_
from xds.model.labels import escape

NOWHERE: Final = "192.0.2.{}"
MOST: Final = 254


def as_labels(documents: Iterable[Document]) -> list[Document]:
    """Return documents with each compose file replaced by what its services say; services without labels are left."""
    numbers = count(1)
    return [made for document in documents for made in _of(document, numbers)]


def _of(document: Document, numbers: Iterator[int]) -> Iterator[Document]:
    if not is_compose(document):
        yield document
        return
    for each in label_sets(document):
        if isinstance(each, LabelSet) and (labels := ours_among(each.labels)):
            yield _as_document(each, labels, NOWHERE.format(1 + (next(numbers) - 1) % MOST))


def _as_document(said: LabelSet, labels: dict[str, str], address: str) -> Document:
    exposed = said.container.ports
    if PORT_.label not in labels and len(exposed) == 1:
        labels = {**labels, PORT_.label: str(exposed[0])}
    spots: dict[str, Spot] = {"": said.document.spot(said.place)}
    spots |= {f"/labels/{escape(label)}": said.document.spot(place) for label, place in said.places.items()}
    return Document(said.document.file, {"kind": KIND, "address": address, "labels": labels}, spots)
