"""Containers that run and did not opt in: only that they are there, so that `explain` can say why nothing came of them.

They are never inspected. Two that carry no label of ours look alike to everybody else.
"""

from __future__ import annotations

from collections.abc import Iterator

from xds.sources.docker.facts import Summary
from xds.sources.docker.stream import Event


class Strangers:
    """Those of one engine."""

    def __init__(self) -> None:
        """Know nobody."""
        self._known: dict[str, Summary] = {}

    def __iter__(self) -> Iterator[Summary]:
        """Return everybody, as a list or an event had them."""
        return iter(list(self._known.values()))

    def listed(self, lines: list[Summary]) -> None:
        """Take a list's word in place of everything before."""
        self._known = {line.id: line for line in lines}

    def event(self, event: Event) -> None:
        """Take an event about one of them."""
        if event.action == "start":
            self._known[event.id] = Summary(event.id, {}, "", event.name, event.image)
        elif event.action in {"die", "destroy"}:
            self._known.pop(event.id, None)
