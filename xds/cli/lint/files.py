"""A file of any kind that has labels or documents in it, and what lint has to say of it.

Told apart by what is in them: compose files (`services`), our documents (`kind`), Istio's (`apiVersion`), label sets in
YAML or JSON, and files of `KEY=VALUE` lines as `docker run --label-file` takes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from xds.cli.documents import BadDocument, Document, Spot, looks_like_compose, read_text
from xds.cli.lint import compose
from xds.cli.lint.findings import Finding, Level
from xds.cli.lint.labels import LabelSet, Read, read, together
from xds.labels.description import Container, Description
from xds.labels.dialect import Dialect
from xds.labels.keys import PREFIX
from xds.labels.nested import labels_of
from xds.model.labels import escape
from xds.model.problems import FairleadError, InvalidInput

LABELS: Final = "labels"
"""The kind of a document that says everything by labels."""
_YAML: Final = (".yaml", ".yml", ".json")


@dataclass(slots=True)
class Linted:
    """Findings of one or more files, and the label sets among them with what became of each."""

    findings: list[Finding] = field(default_factory=list)
    sets: list[tuple[LabelSet, Read]] = field(default_factory=list)


def lint(file: str, text: str, dialects: Sequence[Dialect], linted: Linted) -> None:
    """Add what is to say of one file; a file that cannot be read is a finding, too."""
    try:
        if not file.endswith(_YAML) and _is_label_file(text):
            linted.sets += [_read(_lines(file, text), dialects, linted)]
            return
        for document in read_text(text, file, compose=looks_like_compose(text)):
            _document(document, dialects, linted)
    except BadDocument as error:
        linted.findings.append(_unreadable(file, error))


def finish(linted: Linted) -> list[Finding]:
    """Return all findings in the order of their places, with what containers of one service disagree in."""
    described: list[tuple[LabelSet, Description]] = [
        (labels, done.description) for labels, done in linted.sets if done.description is not None
    ]
    return sorted({*linted.findings, *together(described)})


def _document(document: Document, dialects: Sequence[Dialect], linted: Linted) -> None:
    if compose.is_compose(document):
        for each in compose.label_sets(document):
            if isinstance(each, Finding):
                linted.findings.append(each)
            else:
                linted.sets.append(_read(each, dialects, linted))
    elif "apiVersion" in document.value:
        words = "not a document of Fairlead; `fairlead import` turns Istio's into such"
        linted.findings.append(Finding.at(document, "/apiVersion", Level.NOTICE, words))
    elif document.value.get("kind") == LABELS:
        linted.sets += [_read(each, dialects, linted) for each in _nested(document, linted, "/labels")]
    elif "kind" in document.value:
        linted.findings += _declared(document)
    else:
        linted.sets += [_read(each, dialects, linted) for each in _nested(document, linted)]


def _read(labels: LabelSet, dialects: Sequence[Dialect], linted: Linted) -> tuple[LabelSet, Read]:
    done = read(labels, dialects)
    linted.findings += done.findings
    return labels, done


def _declared(document: Document) -> Iterator[Finding]:
    """Yield what the API would refuse of a document, by the API's own schemas."""
    from xds.api.convert.documents import read_document
    from xds.api.problem_document import document as explained

    judged = read_document(dict(document.value), "lint")
    if not isinstance(judged, FairleadError):
        return
    told = explained(judged)
    several = told.get("errors")
    for each in several if isinstance(several, list) else [{"pointer": judged.pointer, "detail": judged.message}]:
        pointer = str(each["pointer"])
        yield Finding.at(document, pointer, Level.ERROR, str(each["detail"]), pointer)


def _nested(document: Document, linted: Linted, place: str = "") -> Iterator[LabelSet]:
    said = document.value.get(place.removeprefix("/")) if place else document.value
    try:
        labels = labels_of(said if isinstance(said, dict) else {}, pointer=place)
    except InvalidInput as error:
        linted.findings.append(Finding.at(document, error.pointer, Level.ERROR, error.message, error.pointer))
        return
    places = {label: _pointer(document, label, place) for label in labels}
    yield LabelSet(document, place, labels, places, Container(name=document.file))


def _pointer(document: Document, label: str, place: str) -> str:
    """Return where a label of a nested document was written: with or without dots, with or without the prefix."""
    below = (pointer for pointer in document.spots if pointer.startswith(f"{place}/"))
    by_name = {pointer.removeprefix(f"{place}/").replace("/", "."): pointer for pointer in below}
    name = label.removeprefix(PREFIX)
    return by_name.get(name, by_name.get(label, place))


def _is_label_file(text: str) -> bool:
    lines = [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
    return bool(lines) and all("=" in line for line in lines)


def _lines(file: str, text: str) -> LabelSet:
    spots: dict[str, Spot] = {}
    labels: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            labels[key] = value
            spots[f"/{escape(key)}"] = Spot(number, 1 + len(line) - len(line.lstrip()))
    document = Document(file, dict(labels), spots)
    return LabelSet(document, "", labels, {key: f"/{escape(key)}" for key in labels}, Container(name=file))


def _unreadable(file: str, error: BadDocument) -> Finding:
    """Return why a file cannot be read; the words begin with its name, and its line where that is known."""
    words = error.message.removeprefix(f"{file}:").removeprefix(" ")
    number, colon, rest = words.partition(":")
    line = int(number) if colon and number.isdecimal() else 1
    return Finding(file, Spot(line, 1), Level.ERROR, rest.strip() if colon and number.isdecimal() else words)
