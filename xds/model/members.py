"""The members of one service, in order of their ids and in their subsets, kept so from change to change.

One change costs a search and the subsets that the member is in; what is frozen for a view is made again only where
something changed. Knows members as they are handed in; refuses to know why somebody is held or leaving.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping
from itertools import compress

from xds.model.instance import Instance
from xds.model.service import EVERY, Subset
from xds.model.view import Member


class _Row:
    """Members in order of their ids."""

    __slots__ = ("_frozen", "_ids", "_leaving", "_members", "_serving")

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._members: list[Member] = []
        self._frozen: tuple[Member, ...] | None = None
        self._serving = self._leaving = 0

    def __len__(self) -> int:
        return len(self._ids)

    def copy(self) -> _Row:
        """Return another row of the same members."""
        made = _Row()
        made._ids, made._members, made._frozen = [*self._ids], [*self._members], self._frozen
        made._serving, made._leaving = self._serving, self._leaving
        return made

    def put(self, member: Member) -> None:
        at = bisect_left(self._ids, member.instance.id)
        if at < len(self._ids) and self._ids[at] == member.instance.id:
            self._count(self._members[at], -1)
            self._members[at] = member
        else:
            self._ids.insert(at, member.instance.id)
            self._members.insert(at, member)
        self._count(member, 1)

    def drop(self, member: Member) -> None:
        at = bisect_left(self._ids, member.instance.id)
        self._count(self._members[at], -1)
        del self._ids[at], self._members[at]

    def everybody(self) -> tuple[Member, ...]:
        """Return them all; always the same tuple for the same members."""
        if self._frozen is None:
            self._frozen = tuple(self._members)
        return self._frozen

    def shown(self) -> tuple[Member, ...]:
        """Return them without those that are leaving, where somebody else serves."""
        found = self.everybody()
        if not self._leaving or not self._serving:
            return found
        return tuple(compress(found, [not member.leaving for member in found]))

    def _count(self, member: Member, by: int) -> None:
        self._serving += by * member.serves
        self._leaving += by * member.leaving
        self._frozen = None


class Members:
    """Everybody that belongs to one service: registered, held or leaving."""

    __slots__ = ("_all", "_by_id", "_by_version", "_declared", "_guests", "_selected")

    def __init__(self) -> None:
        """Start with nobody."""
        self._by_id: dict[str, Member] = {}
        self._guests: set[str] = set()  # held or leaving: here, but not registered
        self._all = _Row()
        self._by_version: dict[str, _Row] = {}
        self._declared: tuple[Subset, ...] = ()
        self._selected: dict[str, _Row] = {}

    def __bool__(self) -> bool:
        """Say whether anybody is here."""
        return bool(self._by_id)

    def get(self, member: str) -> Member | None:
        """Return the member with that id, or None."""
        return self._by_id.get(member)

    @property
    def registered(self) -> Collection[str]:
        """Return the ids of those that are neither held nor leaving."""
        return self._by_id.keys() - self._guests if self._guests else self._by_id.keys()

    @property
    def everybody(self) -> tuple[Member, ...]:
        """Return all members by id; the same tuple as long as none has changed."""
        return self._all.everybody()

    def serving(self) -> Iterator[Instance]:
        """Yield the instances that serve, in no order."""
        return (member.instance for member in self._by_id.values() if member.serves)

    def put(self, member: Member) -> None:
        """Let `member` stand for its instance from now on."""
        name, version = member.instance.id, member.instance.version
        before = self._by_id.get(name)
        row = self._by_version.get(version)
        if row is None:
            row = self._begin(version)
        if before is not None and before.instance.version != version:
            self._leave(before)
        self._by_id[name] = member
        if member.held or member.leaving:
            self._guests.add(name)
        else:
            self._guests.discard(name)
        self._all.put(member)
        if row is not self._all:
            row.put(member)
        for subset in self._declared:
            self._sort(subset, before, member)

    def drop(self, member: str) -> None:
        """Forget a member; nothing happens when there is none of that id."""
        before = self._by_id.pop(member, None)
        if before is None:
            return
        self._guests.discard(member)
        self._all.drop(before)
        self._leave(before)
        for subset in self._declared:
            self._sort(subset, before, None)

    def subsets(self, declared: tuple[Subset, ...]) -> Mapping[str, tuple[Member, ...]]:
        """Return who is in each subset, by its name: one per version, the declared ones and `-` for everybody.

        Members that are leaving are in those only where nobody serves without them.
        """
        if declared != self._declared:
            self._declared, self._selected = declared, {subset.name: _Row() for subset in declared}
            for member in self._by_id.values():
                for subset in declared:
                    self._sort(subset, None, member)
        everybody = self._all.shown()
        found = {EVERY: everybody}
        for version, row in self._by_version.items():
            found[version] = everybody if len(row) == len(self._all) else row.shown()
        found |= {name: row.shown() for name, row in self._selected.items()}
        return {name: found[name] for name in sorted(found)}

    def _begin(self, version: str) -> _Row:
        """Return the row of a version that nobody is of yet: as long as there is no other, it is that of everybody."""
        row = _Row() if self._by_version else self._all
        for other, shared in self._by_version.items():
            if shared is self._all:
                self._by_version[other] = shared.copy()
        self._by_version[version] = row
        return row

    def _leave(self, before: Member) -> None:
        """Take a member out of its version, and the version with its last one."""
        row = self._by_version[before.instance.version]
        if row is not self._all:
            row.drop(before)
        if not row:
            del self._by_version[before.instance.version]

    def _sort(self, subset: Subset, before: Member | None, after: Member | None) -> None:
        row = self._selected[subset.name]
        if after is not None and subset.selector.matches(after.instance.facts):
            row.put(after)
        elif before is not None and subset.selector.matches(before.instance.facts):
            row.drop(before)
