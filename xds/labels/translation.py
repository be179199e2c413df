"""What a dialect came to: labels of ours with where they came from, and what could not be said."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from xds.labels.keys import AnyKey

_NOT_IN_IDS: Final = re.compile(r"[^a-z0-9_-]+")


class Note(NamedTuple):
    """A label of a dialect that did not map, and why, or what to say instead."""

    label: str
    why: str


@dataclass(slots=True)
class Translation:
    """Filled by a dialect's reader. `labels` are ours, each with the label that it came from."""

    labels: dict[str, tuple[str, str]] = field(default_factory=dict)
    left: list[Note] = field(default_factory=list)

    def say(self, key: AnyKey, value: str, origin: str, *names: str) -> None:
        """Say a key of ours, with `names` in its places; what was said first holds, and a difference is reported."""
        label = key.at(*names)
        if self.labels.setdefault(label, (value, origin))[0] != value:
            self.leave(origin, f"{label} is {self.labels[label][0]!r} already, by {self.labels[label][1]}")

    def says(self, key: AnyKey) -> bool:
        """Say whether a key was said."""
        return key.label in self.labels

    def leave(self, label: str, why: str) -> None:
        """Report a label that did not map."""
        self.left.append(Note(label, why))


def plain(name: str) -> str:
    """Return a name that can stand in a place of a key: lower case, without dots."""
    return _NOT_IN_IDS.sub("-", name.lower()).strip("-_") or "x"
