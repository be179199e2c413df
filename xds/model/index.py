"""The label index: which instances match a selector, by intersecting sets instead of scanning.

It holds ids only. Adding or removing one instance costs its own labels; a selection costs the smallest set
that its requirements name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from typing import TypeVar

from xds.model.selector import Operator, Requirement, Selector

_K = TypeVar("_K")

_NONE: frozenset[str] = frozenset()


class LabelIndex:
    """A mutable map from labels to the ids that carry them."""

    def __init__(self) -> None:
        """Start empty."""
        self._all: dict[str, Mapping[str, str]] = {}
        self._by_value: dict[tuple[str, str], set[str]] = {}
        self._by_key: dict[str, set[str]] = {}

    def __len__(self) -> int:
        """Return how many ids are indexed."""
        return len(self._all)

    def add(self, member: str, labels: Mapping[str, str]) -> None:
        """Index `member` under `labels`, in place of what it carried before."""
        self.discard(member)
        self._all[member] = labels
        for pair in labels.items():
            self._by_value.setdefault(pair, set()).add(member)
            self._by_key.setdefault(pair[0], set()).add(member)

    def discard(self, member: str) -> None:
        """Forget `member`; nothing happens when it is unknown."""
        for pair in self._all.pop(member, {}).items():
            _drop(self._by_value, pair, member)
            _drop(self._by_key, pair[0], member)

    def select(self, selector: Selector, within: Collection[str] | None = None) -> set[str]:
        """Return the ids that match, of `within` only where it is given.

        Requirements that name members are intersected first, smallest set first; the ones that exclude
        members are subtracted from what is left.
        """
        including: list[Set[str]] = []
        excluding: list[Set[str]] = []
        for requirement in selector.requirements:
            named = self._members(requirement)
            (excluding if requirement.operator in {Operator.NOT_IN, Operator.ABSENT} else including).append(named)
        including.sort(key=len)
        if within is not None:
            found = set(within)
        elif including:
            found = set(including.pop(0))
        else:
            found = set(self._all)
        for members in including:
            found &= members
        for members in excluding:
            found -= members
        return found

    def values(self, key: str) -> list[str]:
        """Return the values that `key` has anywhere, sorted: what a person may select by."""
        return sorted(value for (name, value) in self._by_value if name == key)

    def _members(self, requirement: Requirement) -> Set[str]:
        """Return the ids that the requirement names: those it keeps, or those it excludes."""
        if requirement.operator in {Operator.EXISTS, Operator.ABSENT}:
            return self._by_key.get(requirement.key, _NONE)
        sets = [self._by_value.get((requirement.key, value), _NONE) for value in requirement.values]
        return sets[0] if len(sets) == 1 else _NONE.union(*sets)


def _drop(table: dict[_K, set[str]], key: _K, member: str) -> None:
    members = table[key]
    members.discard(member)
    if not members:
        del table[key]
