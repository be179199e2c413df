"""The endpoints of one service, assembled once and kept in step: a change costs its own fragment and a join.

What a view brings is compared by identity: the intent keeps a member as long as nothing about it changes. Where
somebody of a subset serves, its assignment is a join of fragments that stand ready in order; where nobody does, which
is rare, it is made from its members. Nothing is kept of a member beyond its fragments.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from xds.model.view import Member, ServiceView
from xds.wire.endpoint import cluster_load_assignment

from .endpoints import (
    NOWHERE,
    Endpoint,
    Locality,
    assignment,
    endpoint,
    is_shown,
    locality_of,
    named_ports,
    present,
    tiers,
)
from .policy import OwnLabels, own_labels

_K = TypeVar("_K")
_Members = tuple[Member, ...]
_Change = tuple[list[Member], list[Member]]  # who went, who came; a member that changed is in both
_Made = dict[int, Endpoint]  # the endpoints of those who came, by the identity of the member


class _Row:
    """Fragments in order of their instances' ids."""

    __slots__ = ("fragments", "ids")

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.fragments: list[bytes] = []

    def put(self, member: str, fragment: bytes) -> None:
        at = bisect_left(self.ids, member)
        self.ids.insert(at, member)
        self.fragments.insert(at, fragment)

    def drop(self, member: str) -> None:
        at = bisect_left(self.ids, member)
        del self.ids[at], self.fragments[at]


class _Subset:
    """The members of one or more subsets of the same members.

    It knows how many serve on which port, and the fragments of those that are shown while somebody serves.
    """

    __slots__ = ("_joined", "_rows", "_tiers", "members", "serving")

    def __init__(self) -> None:
        self.members: _Members = ()
        self.serving: Counter[str] = Counter()
        self._rows: dict[str, dict[Locality, _Row]] = {}
        self._joined: dict[tuple[str, str, bool, Locality], bytes] = {}
        self._tiers: dict[tuple[str, Locality], list[bytes]] = {}

    def take(self, members: _Members, change: _Change, made: _Made) -> None:
        self.members = members
        self._joined.clear()
        self._tiers.clear()
        for member in change[0]:
            self._count(member, -1)
            if is_shown(member):
                for port in ("", *named_ports(member.instance)):
                    self._drop(port, locality_of(member), member.instance.id)
        for member in change[1]:
            self._count(member, 1)
            if is_shown(member):
                found = made.get(id(member))
                if found is None:
                    found = made[id(member)] = endpoint(member)
                for port, fragment in found.fragments.items():
                    rows = self._rows.setdefault(port, {})
                    row = rows.get(found.locality)
                    if row is None:
                        row = rows[found.locality] = _Row()
                    row.put(member.instance.id, fragment)

    def assignment(self, cluster: str, port: str, *, elsewhere: bool, place: Locality) -> bytes:
        """Return the encoded ClusterLoadAssignment of a port; see `present` for `elsewhere`, `tiers` for `place`."""
        found = self._joined.get((cluster, port, elsewhere, place))
        if found is None:
            if self.serving[""]:
                found = cluster_load_assignment(cluster, self._shown(port, place))
            else:
                found = assignment(cluster, present(self.members, elsewhere=elsewhere), port)
            self._joined[cluster, port, elsewhere, place] = found
        return found

    def _shown(self, port: str, place: Locality) -> list[bytes]:
        found = self._tiers.get((port, place))
        if found is None:
            rows = {locality: row.fragments for locality, row in self._rows.get(port, {}).items()}
            found = self._tiers[port, place] = tiers(rows, place)
        return found

    def _count(self, member: Member, by: int) -> None:
        if member.serves:
            self.serving[""] += by
            for port in named_ports(member.instance):
                self.serving[port] += by

    def _drop(self, port: str, locality: Locality, member: str) -> None:
        row = self._rows[port][locality]
        row.drop(member)
        if not row.ids:
            del self._rows[port][locality]


class Assembly:
    """All that translation has to know of one service's members."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._members: _Members = ()
        self._subsets: dict[str, _Subset] = {}
        self._own: Counter[str] = Counter()
        self._placed = 0
        self._named: Counter[str] = Counter()
        self._labels: Counter[tuple[str, OwnLabels]] = Counter()

    def take(self, view: ServiceView) -> None:
        """Take over what a view has and the one before had not. After an error this is to be thrown away."""
        changes: dict[tuple[int, int], _Change] = {}
        made: _Made = {}

        def change(before: _Members, after: _Members) -> _Change:
            pair = (id(before), id(after))  # as a rule everybody is of one version, and one comparison serves for all
            if pair not in changes:
                changes[pair] = _compare(before, after)
            return changes[pair]

        if view.members is not self._members:
            went, came = change(self._members, view.members)
            for member in went:
                self._count(member, -1)
            for member in came:
                self._count(member, 1)
        self._follow(view.subsets, change, made)
        self._members = view.members

    def _follow(
        self, subsets: Mapping[str, _Members], change: Callable[[_Members, _Members], _Change], made: _Made
    ) -> None:
        """Let the subsets follow; those of the same members, as a rule everybody's and the only version's, are one."""
        before, self._subsets = self._subsets, {}
        taken: dict[int, _Subset] = {}
        for name, members in subsets.items():
            subset = taken.get(id(members))
            if subset is None:
                subset = before.get(name)
                if subset is None or subset in taken.values():
                    subset = _Subset()
                if subset.members is not members:
                    subset.take(members, change(subset.members, members), made)
                taken[id(members)] = subset
            self._subsets[name] = subset

    @property
    def own_ports(self) -> frozenset[str]:
        """Return the names that instances give their first port."""
        return frozenset(self._own)

    @property
    def named_ports(self) -> frozenset[str]:
        """Return the ports beyond the first, each of which would be a service of its own."""
        return frozenset(self._named)

    @property
    def labels(self) -> Mapping[str, Mapping[OwnLabels, int]]:
        """Return which labels that are policy the instances of each version have, and how many of them."""
        found: dict[str, dict[OwnLabels, int]] = {}
        for (version, labels), instances in self._labels.items():
            found.setdefault(version, {})[labels] = instances
        return found

    def serving(self, port: str) -> frozenset[str]:
        """Return the subsets that have a member to count on at a port ("" is the service's own)."""
        return frozenset(name for name, subset in self._subsets.items() if subset.serving[port] > 0)

    def shown(self, subset: str, *, elsewhere: bool) -> Sequence[Endpoint]:
        """Return the endpoints of a subset that get requests, made anew; see `present` for `elsewhere`."""
        found = self._subsets.get(subset)
        return present(found.members, elsewhere=elsewhere) if found is not None else ()

    @property
    def has_places(self) -> bool:
        """Say whether anybody says where it runs."""
        return self._placed > 0

    def assignment(self, cluster: str, subset: str, port: str, *, elsewhere: bool, place: Locality = NOWHERE) -> bytes:
        """Return the encoded ClusterLoadAssignment of a subset at a port, as it is seen from a place."""
        found = self._subsets.get(subset)
        if found is None:
            return cluster_load_assignment(cluster)
        return found.assignment(cluster, port, elsewhere=elsewhere, place=place)

    def _count(self, member: Member, by: int) -> None:
        instance = member.instance
        self._placed += by * (locality_of(member) != NOWHERE)
        _add(self._own, next(iter(instance.ports)), by)
        for port in named_ports(instance):
            _add(self._named, port, by)
        if not member.leaving and (labels := own_labels(instance.labels)):
            _add(self._labels, (instance.version, labels), by)


def _compare(before: _Members, after: _Members) -> _Change:
    """Return who went and who came, by identity and at the speed of a set."""
    if not before:
        return [], [*after]
    old, new = set(map(id, before)), dict(zip(map(id, after), after, strict=True))
    came = [new[one] for one in new.keys() - old]
    if len(came) == len(after) - len(before):  # then nobody went, as a rule
        return [], came
    return [one for one in before if id(one) not in new], came


def _add(counter: Counter[_K], key: _K, by: int) -> None:
    counter[key] += by
    if not counter[key]:
        del counter[key]
