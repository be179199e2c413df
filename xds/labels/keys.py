"""The key of a label: its name, its type, its default, and which part of a container a mistake in it costs.

A name may have places, as in `route.<name>.header.<header>`. The last place takes whatever is left, dots included; the
others end at a dot.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from xds.labels.values import Type

T = TypeVar("T")
PREFIX: Final = "fairlead."
_PLACE: Final = re.compile(r"<\w+>")


@dataclass(frozen=True, slots=True)
class Key(Generic[T]):
    """One key, named without the prefix.

    A mistake costs the `facet` as a whole: what cannot be understood in part (a health check, a route). An empty one is
    the key by itself. Without an `essential` key that was said and is wrong there is nothing to register. What does not
    `act` yet is read, checked and shown, and changes nothing.
    """

    name: str
    type: Type[T]
    does: str
    default: str = ""
    example: str = ""
    facet: str = ""
    essential: bool = False
    acts: bool = True

    @property
    def label(self) -> str:
        """Return the label with its prefix."""
        return PREFIX + self.name

    def at(self, *names: str) -> str:
        """Return the label with names in its places."""
        given = iter(names)
        return PREFIX + _PLACE.sub(lambda _: next(given), self.name)

    def lost(self, names: tuple[str, ...]) -> str:
        """Return what a mistake in it costs: `health`, `route api`, `weight`."""
        if self.facet == "route":
            return f"route {names[0]}"
        return self.facet or self.at(*names).removeprefix(PREFIX)


AnyKey = Key[Any]  # of any type: a table holds all of them


class Keys:
    """All keys, to be found by the name of a label."""

    def __init__(self, keys: Iterable[AnyKey]) -> None:
        """Keep the keys in their order."""
        self.all: tuple[AnyKey, ...] = tuple(keys)
        self._plain = {key.name: key for key in self.all if not _PLACE.search(key.name)}
        self._placed = [(_pattern(key.name), key) for key in self.all if _PLACE.search(key.name)]

    def __iter__(self) -> Iterator[AnyKey]:
        """Yield every key in order."""
        return iter(self.all)

    def __getitem__(self, name: str) -> AnyKey:
        """Return a key by its own name, as it stands in the table."""
        return next(key for key in self.all if key.name == name)

    def find(self, name: str) -> tuple[AnyKey, tuple[str, ...]] | None:
        """Return the key that a label is, by its name without the prefix, and what stands in its places."""
        if name in self._plain:
            return self._plain[name], ()
        for pattern, key in self._placed:
            if found := pattern.match(name):
                return key, found.groups()
        return None

    def near(self, name: str) -> str:
        """Return the label that was probably meant, with the caller's own names in its places, or nothing."""
        parts = name.lower().replace("_", "-").split(".")
        names = {_filled(key.name.split("."), parts): None for key in self.all}
        found = difflib.get_close_matches(".".join(parts), list(names), n=1, cutoff=0.6)
        return PREFIX + found[0] if found else ""


def _pattern(name: str) -> re.Pattern[str]:
    *heads, last = _PLACE.split(name)
    middle = "([^.]+)".join(re.escape(part) for part in heads)
    return re.compile(rf"{middle}{'([^.]+)' if last else '(.+)'}{re.escape(last)}\Z")


def _filled(name: list[str], given: list[str]) -> str:
    """Return a key's name with its places filled by what the caller wrote there."""
    pairs = enumerate(name)
    return ".".join(given[at] if part.startswith("<") and at < len(given) else part for at, part in pairs)
