"""One set of labels, wherever it was written: read as the agent will read it, each problem at its label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from xds.cli.documents import Document
from xds.cli.lint.findings import Finding, Level
from xds.labels.describe import COMPOSE_SERVICE, describe
from xds.labels.description import Container, Description
from xds.labels.dialect import Dialect, Translated, translated
from xds.labels.keys import PREFIX
from xds.labels.merge import by_service, merge
from xds.labels.reading import ours_among
from xds.labels.table import KEYS, PORT_, PORTS, SERVICE

_SOME_PORT = 80


@dataclass(frozen=True, slots=True)
class LabelSet:
    """Labels as a file has them. `places` are pointers by label, `place` is that of the whole.

    `env` is what a dialect reads besides. `container` holds what the file tells of the container; what only its image
    knows is not missed.
    """

    document: Document
    place: str
    labels: Mapping[str, str]
    places: Mapping[str, str]
    container: Container
    env: Mapping[str, str] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)
    """Labels whose value depends on a variable without a default, and that variable."""


@dataclass(frozen=True, slots=True)
class Read:
    """What became of a set: its findings, its description if it is registered, and what its dialects came to."""

    findings: tuple[Finding, ...]
    description: Description | None
    translated: Translated


def read(labels: LabelSet, dialects: Sequence[Dialect] = ()) -> Read:
    """Return what the agent will make of a set of labels, as far as a file can tell."""
    found: list[Finding] = []
    made = translated(_assumed(labels, found), dialects, labels.env)
    container, assumed = _container(labels, made.labels)
    described = describe(made.labels, container)
    for problem in described.problems:
        label = problem.pointer.removeprefix("/labels/").replace("~1", "/").replace("~0", "~")
        label = made.origins.get(label, label)
        pointer = labels.places.get(label, labels.place)
        found.append(Finding.at(labels.document, pointer, Level.of(problem.severity), problem.message, label))
    if described.description is not None and assumed:
        words = f"its port is the only one that its image exposes; say {PORT_.label} to be sure"
        found.append(Finding.at(labels.document, labels.place, Level.NOTICE, words))
    for note in made.left:
        pointer = labels.places.get(note.label, labels.place)
        found.append(Finding.at(labels.document, pointer, Level.WARNING, f"did not map: {note.why}", note.label))
    return Read(tuple(found), described.description, made)


def together(read: Iterable[tuple[LabelSet, Description]]) -> list[Finding]:
    """Return what the containers of each service disagree in; the first version counts as the stable one."""
    sets = list(read)
    found: list[Finding] = []
    for key, descriptions in by_service(description for _, description in sets).items():
        merged = merge(descriptions, None, "lint")
        for proposal in merged.proposals:
            where = next(item for item, each in sets if (each.service, each.version) == (key, proposal.version))
            words = f"only proposed, as long as {merged.stable} is stable: {proposal.field} would be {proposal.wanted}"
            found.append(Finding.at(where.document, where.place, Level.NOTICE, f"{words}; {proposal.holds} holds"))
        for problem in merged.problems:
            where = next(item for item, each in sets if each.service == key)
            found.append(Finding.at(where.document, where.place, Level.WARNING, problem.message, str(key)))
    return found


def _assumed(labels: LabelSet, found: list[Finding]) -> dict[str, str]:
    """Return the labels, with the example of a key in place of a value that nobody knows here."""
    said = dict(labels.labels)
    for label, variable in labels.unknown.items():
        short = next(iter(ours_among({label: ""})), "")
        key = KEYS.find(short.removeprefix(PREFIX)) if short else None
        if key is None:
            continue
        words = f"depends on ${{{variable}}}, which has no default here: not checked"
        found.append(Finding.at(labels.document, labels.places[label], Level.NOTICE, words, label))
        said[label] = labels.labels.get(COMPOSE_SERVICE, key[0].example) if key[0] is SERVICE else key[0].example
    return said


def _container(labels: LabelSet, said: Mapping[str, str]) -> tuple[Container, bool]:
    """Return the container with a port where the file tells none and its image may; say whether that was assumed.

    A label that says a port is not compared with what the file publishes: the image may listen on others.
    """
    ours = ours_among(said)
    if PORT_.label in ours or any(label.startswith(PORTS.label.partition("<")[0]) for label in ours):
        return replace(labels.container, ports=()), False
    if labels.container.ports:
        return labels.container, False
    return replace(labels.container, ports=(_SOME_PORT,)), True
