"""Short sliding windows of what was measured, by cluster and by where: node, endpoint, locality.

Time is an argument. A window is a few slots of some seconds each; a slot that has grown too old goes with everything in
it, so what nobody reports any more is forgotten by itself, and *no data* (nobody spoke of a cluster) stays apart from
*zero* (somebody said that there was none). Kept per place and not per pair of places: a thousand Envoys that each ask
ten endpoints are 1,010 entries, not 10,000, and nobody asks for the pair.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from enum import Enum
from typing import Generic, NamedTuple, Protocol, Self, TypeVar


class Sum(Protocol):
    """What a window can hold; see `xds.model.traffic`."""

    def follow(self, later: Self, /) -> None:
        """Add what the same place had later."""
        ...

    def join(self, other: Self, /) -> None:
        """Add what another place had at the same time."""
        ...


S = TypeVar("S", bound=Sum)


class Kind(Enum):
    """What a place is. Nodes make up the total of a cluster; the others are parts of it, as far as they are told."""

    NODE = "node"
    ENDPOINT = "endpoint"
    LOCALITY = "locality"


class Place(NamedTuple):
    """Where something was measured."""

    kind: Kind
    name: str


class _Slot(Generic[S]):
    """Everything that arrived within one slot of time."""

    __slots__ = ("by_source", "number", "places", "size")

    def __init__(self, number: int) -> None:
        self.number = number
        self.places: dict[tuple[Hashable, Kind], dict[str, S]] = {}
        self.size = 0
        self.by_source: Counter[str] = Counter()


class Window(Generic[S]):
    """`slots` slots of `width` seconds. `make` makes an empty sum.

    At most `most` places a slot and `most_per_source` of one source; what is beyond is `lost` and counted there, so
    that one reporter that invents names costs the others nothing.
    """

    def __init__(
        self,
        make: Callable[[], S],
        *,
        slots: int = 6,
        width: float = 10.0,
        most: int = 100_000,
        most_per_source: int = 10_000,
    ) -> None:
        self._make = make
        self._count = slots
        self._width = width
        self._most = most
        self._most_per_source = most_per_source
        self._slots: deque[_Slot[S]] = deque()
        self.lost = 0

    @property
    def seconds(self) -> float:
        """Return how far back the window reaches at most."""
        return self._count * self._width

    def add(self, cluster: Hashable, place: Place, measured: S, *, source: str, now: float) -> None:
        """Add what `source` (a node's id) measured of a cluster at a place, and keep nothing of `measured` itself."""
        slot = self._current(now)
        places = slot.places.get((cluster, place.kind))
        held = None if places is None else places.get(place.name)
        if held is None:
            if slot.size >= self._most or slot.by_source[source] >= self._most_per_source:
                self.lost += 1
                return
            slot.size += 1
            slot.by_source[source] += 1
            held = slot.places.setdefault((cluster, place.kind), {})[place.name] = self._make()
        held.follow(measured)

    def by(self, kind: Kind, cluster: Hashable, now: float, seconds: float | None = None) -> dict[str, S]:
        """Return the cluster's sum over the last `seconds` (all of the window without) per place of this kind.

        Empty where there is no data. Slots count whole, the newest included, so it may be up to one slot less.
        """
        found: dict[str, S] = {}
        for slot in self._last(now, seconds):
            _follow(found, slot.places.get((cluster, kind), {}), self._make)
        return found

    def all(self, kind: Kind, now: float, seconds: float) -> dict[Hashable, dict[str, S]]:
        """Return the sums of every cluster that was spoken of over the last `seconds`, per place of this kind."""
        found: dict[Hashable, dict[str, S]] = {}
        for slot in self._last(now, seconds):
            for (cluster, held_kind), places in slot.places.items():
                if held_kind is kind:
                    _follow(found.setdefault(cluster, {}), places, self._make)
        return found

    def __len__(self) -> int:
        """Return how many places are held, each once per slot."""
        return sum(slot.size for slot in self._slots)

    def forget(self, now: float) -> None:
        """Let go of what is too old; adding and reading do it, too."""
        oldest = self._number(now) - self._count
        while self._slots and self._slots[0].number <= oldest:
            self._slots.popleft()

    def _current(self, now: float) -> _Slot[S]:
        self.forget(now)
        number = self._number(now)
        if not self._slots or self._slots[-1].number < number:
            self._slots.append(_Slot(number))
        return self._slots[-1]

    def _last(self, now: float, seconds: float | None) -> Iterator[_Slot[S]]:
        self.forget(now)
        wanted = self._count if seconds is None else max(1, min(self._count, math.ceil(seconds / self._width)))
        oldest = self._number(now) - wanted
        return (slot for slot in self._slots if slot.number > oldest)

    def _number(self, now: float) -> int:
        return math.floor(now / self._width)


def _follow(sums: dict[str, S], later: Mapping[str, S], make: Callable[[], S]) -> None:
    """Add what each place had later to what it had before."""
    for name, measured in later.items():
        held = sums.get(name)
        if held is None:
            held = sums[name] = make()
        held.follow(measured)


def total(places: Iterable[S], make: Callable[[], S]) -> S | None:
    """Return the sum of places at the same time, in an empty sum that `make` makes; None where there is no data."""
    found: S | None = None
    for measured in places:
        found = make() if found is None else found
        found.join(measured)
    return found
