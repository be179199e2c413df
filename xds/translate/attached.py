"""What policies by selector say of one service, field by field: the first that says something holds.

Two that go equally first and contradict each other are a problem with both names; the first by name holds meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from xds.model.policy import ServicePolicy

T = TypeVar("T")
Note = Callable[[str, str], None]
"""Takes a mistake: the pointer to it, and words."""
Said = tuple[str, T | None]
"""Who says it, and what; None says nothing."""


class Deciding:
    """Decides fields one after another and remembers who did."""

    def __init__(self, policies: Sequence[ServicePolicy], note: Note) -> None:
        """Ask `policies`, the first of which goes first; contradictions go to `note`."""
        self._policies = policies
        self._note = note
        self.by: dict[str, str] = {}
        """Who decided, by field; a field that is missing has its default."""

    def decide(self, field: str, own: Iterable[Said[T]], says: Callable[[ServicePolicy], T | None]) -> T | None:
        """Return what holds for a field: the first of the service's `own`, else what the policies say; None without."""
        for whose, value in own:
            if value is not None:
                self.by[field] = whose
                return value
        said = [(policy, value) for policy in self._policies if (value := says(policy)) is not None]
        if not said:
            return None
        first, value = said[0]
        self.by[field] = f"policy {first.key.name}"
        other = next((each for each, its in said[1:] if each.rank == first.rank and its != value), None)
        if other is not None:
            names = f"policies {first.key.name} and {other.key.name}"
            then = f"{first.key.name} holds, as the first by name: give one of them a higher priority"
            self._note(f"/{field}", f"{names} contradict each other; {then}")
        return value
