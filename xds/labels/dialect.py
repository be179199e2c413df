"""Labels that other tools read, as ours: off by default, and with a report of what did not map.

A dialect turns its labels into Fairlead's own, which are then read like any others, so that defaults, checks and what a
mistake costs are the same. Where a container says the same in both, its own labels of Fairlead win.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from xds.labels import registrator, traefik
from xds.labels.describe import ANYTHING, Claims, describe
from xds.labels.description import Container, Described
from xds.labels.reading import ours_among
from xds.labels.translation import Note, Translation
from xds.model.labels import escape
from xds.model.problems import Problem, Severity


class Dialect(StrEnum):
    """Whose labels are read besides ours."""

    TRAEFIK = "traefik"
    REGISTRATOR = "registrator"


_READERS: Mapping[Dialect, Callable[[Mapping[str, str]], Translation]] = {
    Dialect.TRAEFIK: traefik.translate,
    Dialect.REGISTRATOR: registrator.translate,
}


@dataclass(frozen=True, slots=True)
class Translated:
    """All labels of a container with those of other dialects as ours, and the report.

    `origins` tells from which label one of ours came; `left` what did not map, and why.
    """

    labels: Mapping[str, str]
    origins: Mapping[str, str] = field(default_factory=dict)
    left: tuple[Note, ...] = ()


def translated(
    labels: Mapping[str, str], dialects: Iterable[Dialect], env: Mapping[str, str] | None = None
) -> Translated:
    """Return the labels with what the dialects add; `env` is the container's environment, which Registrator reads."""
    made: dict[str, str] = {}
    origins: dict[str, str] = {}
    left: list[Note] = []
    for dialect in dialects:
        seen = {**(env or {}), **labels} if dialect is Dialect.REGISTRATOR else labels
        found = _READERS[dialect](seen)
        for label, (value, origin) in found.labels.items():
            if made.setdefault(label, value) == value:
                origins.setdefault(label, origin)
        left += found.left
    own = ours_among(labels)
    for label in own:
        origins.pop(label, None)
    return Translated({**labels, **made, **own}, origins, tuple(left))


@dataclass(frozen=True, slots=True)
class Reading:
    """How labels are read on a host: what they may claim, and whose are read besides ours."""

    claims: Claims = ANYTHING
    dialects: tuple[Dialect, ...] = ()

    def concerns(self, labels: Collection[str]) -> bool:
        """Say whether a container may want to take part, by its labels: the environment is read with Registrator's."""
        traefiks = Dialect.TRAEFIK in self.dialects and any(
            label.lower().startswith(traefik.PREFIX) for label in labels
        )
        return traefiks or Dialect.REGISTRATOR in self.dialects or bool(ours_among(dict.fromkeys(labels, "")))

    def describe(self, labels: Mapping[str, str], container: Container, env: Mapping[str, str]) -> Described:
        """Return what a container comes to; problems are told of the label that they came from, like what is left."""
        if not self.dialects:
            return describe(labels, container, self.claims)
        made = translated(labels, self.dialects, env)
        found = describe(made.labels, container, self.claims)
        places = {f"/labels/{escape(ours)}": f"/labels/{escape(origin)}" for ours, origin in made.origins.items()}
        problems = [replace(each, pointer=places.get(each.pointer, each.pointer)) for each in found.problems]
        name = container.name or container.id
        left = (
            Problem("container", name, f"/labels/{escape(note.label)}", f"did not map: {note.why}", Severity.WARNING)
            for note in made.left
        )
        return replace(found, problems=(*problems, *left))


OURS_ALONE = Reading()
