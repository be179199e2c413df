"""Who has to be woken when something changes: readers by what they ask for, found through the names that changed.

A publish costs the readers that asked for one of its names, however many others there are. A thousand readers who ask
for the same set of names are one entry here, and share the set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from xds.wire.types import ResourceType

Reader = TypeVar("Reader")

Asked = tuple[frozenset[str] | None, tuple[str, ...]]
"""The names somebody asks for (None: everything) and the variants that he sees."""


class _Set(Generic[Reader]):
    """One set of names (None: everything): the readers who ask for it, by the variants that they see."""

    __slots__ = ("names", "readers")

    def __init__(self, names: frozenset[str] | None) -> None:
        self.names = names
        self.readers: dict[tuple[str, ...], set[Reader]] = {}


class Interest(Generic[Reader]):
    """The readers of one type."""

    __slots__ = ("_by_name", "_sets")

    def __init__(self) -> None:
        self._sets: dict[frozenset[str] | None, _Set[Reader]] = {}
        self._by_name: dict[str, set[_Set[Reader]]] = {}

    def add(self, reader: Reader, names: frozenset[str] | None, variants: tuple[str, ...]) -> Asked:
        """Wake `reader` for these names from now on; return the same in the form that everybody shares."""
        found = self._sets.get(names)
        if found is None:
            found = self._sets[names] = _Set(names)
            for name in names or ():
                self._by_name.setdefault(name, set()).add(found)
        found.readers.setdefault(variants, set()).add(reader)
        return found.names, variants

    def remove(self, reader: Reader, asked: Asked) -> None:
        """Take back an `add`."""
        names, variants = asked
        found = self._sets[names]
        readers = found.readers[variants]
        readers.discard(reader)
        if readers:
            return
        del found.readers[variants]
        if found.readers:
            return
        del self._sets[names]
        for name in names or ():
            sets = self._by_name[name]
            sets.discard(found)
            if not sets:
                del self._by_name[name]

    def of(self, changed: Mapping[str, set[str]]) -> Iterator[Reader]:
        """Yield the readers who see one of `changed` (variant -> names) and ask for it, some more than once."""
        for variant, names in changed.items():
            sets = {found for name in names for found in self._by_name.get(name, ())}
            if None in self._sets:
                sets.add(self._sets[None])
            for found in sets:
                for variants, readers in found.readers.items():
                    if variant in variants:
                        yield from readers


class Interests(Generic[Reader]):
    """The readers of all types."""

    def __init__(self) -> None:
        self._types: dict[ResourceType, Interest[Reader]] = {}
        self._asked: dict[Reader, dict[ResourceType, Asked]] = {}

    def watch(
        self, reader: Reader, type_: ResourceType, names: frozenset[str] | None, variants: tuple[str, ...]
    ) -> frozenset[str] | None:
        """Wake `reader` for these names of a type (None: for all), and no others of it; return the shared set."""
        interest = self._types.setdefault(type_, Interest())
        mine = self._asked.setdefault(reader, {})
        before = mine.get(type_)
        asked = mine[type_] = interest.add(reader, names, variants)
        if before is not None and before != asked:
            interest.remove(reader, before)
        return asked[0]

    def forget(self, reader: Reader) -> None:
        """Never name `reader` again."""
        for type_, asked in self._asked.pop(reader, {}).items():
            self._types[type_].remove(reader, asked)

    def of(self, type_: ResourceType, changed: Mapping[str, set[str]]) -> set[Reader]:
        """Return the readers who see one of `changed` (variant -> names) and ask for it."""
        interest = self._types.get(type_)
        return set() if interest is None else set(interest.of(changed))
