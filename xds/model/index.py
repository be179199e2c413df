"""The label index: which instances match a selector, by intersecting sets instead of scanning.

It holds ids only, and indexes a key when a selector first names it: what nobody selects by costs nothing, however many
instances carry it. From then on a change costs the keys that are indexed, and a selection the smallest set that its
requirements name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Set
from typing import Protocol

from xds.model.selector import Operator, Requirement, Selector

KEYS = 64  # that are indexed at once; the one that was asked for first makes room

_NONE: frozenset[str] = frozenset()


class Labelled(Protocol):
    """What is indexed."""

    def fact(self, key: str) -> str | None:
        """Return the value under a key, or None."""
        ...


class LabelIndex:
    """A map from labels to the ids that carry them, over a table that somebody else changes."""

    def __init__(self, table: Mapping[str, Labelled]) -> None:
        """Index what is in `table`, which goes on changing: each change is told to `replace`, before it is made."""
        self._table = table
        self._keys: dict[str, dict[str, set[str]]] = {}

    def replace(self, member: str, before: Labelled | None, after: Labelled | None) -> None:
        """Index `member` as `after` in place of `before`; None is nobody."""
        for key, values in self._keys.items():
            was = None if before is None else before.fact(key)
            now = None if after is None else after.fact(key)
            if was == now:
                continue
            if was is not None:
                members = values[was]
                members.discard(member)
                if not members:
                    del values[was]
            if now is not None:
                values.setdefault(now, set()).add(member)

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
            found = set(self._table)
        for members in including:
            found &= members
        for members in excluding:
            found -= members
        return found

    def values(self, key: str) -> list[str]:
        """Return the values that `key` has anywhere, sorted: what a person may select by."""
        return sorted(self._indexed(key))

    def _members(self, requirement: Requirement) -> Set[str]:
        """Return the ids that the requirement names: those it keeps, or those it excludes."""
        if requirement.key == "id":  # its own index: the table
            if requirement.operator in {Operator.EXISTS, Operator.ABSENT}:
                return self._table.keys()
            return {member for member in requirement.values if member in self._table}
        values = self._indexed(requirement.key)
        if requirement.operator in {Operator.EXISTS, Operator.ABSENT}:
            return _union(values.values())
        return _union(values.get(value, _NONE) for value in requirement.values)

    def _indexed(self, key: str) -> Mapping[str, set[str]]:
        """Return who carries which value of a key, indexed now if nobody has asked before."""
        values = self._keys.get(key)
        if values is None:
            values = {}
            for member, labelled in self._table.items():
                value = labelled.fact(key)
                if value is not None:
                    values.setdefault(value, set()).add(member)
            while len(self._keys) >= KEYS:
                del self._keys[next(iter(self._keys))]
            self._keys[key] = values
        return values


def _union(sets: Iterable[Set[str]]) -> Set[str]:
    found = [*sets]
    return found[0] if len(found) == 1 else _NONE.union(*found)
