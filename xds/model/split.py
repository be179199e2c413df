"""The split: which share of a service's users each subset gets, as ordered segments of 10,000 buckets.

A user's key is hashed to a bucket (`bucket.py`); the segments, laid end to end in their order, tell which
subset owns that bucket. Envoy walks the same list (`weighted_clusters`), so the order and the total are part of the
contract: `shift` changes weights by moving only the boundary between the subsets that give and those that take, and
nobody else changes sides. A subset may own several segments.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from xds.model.problems import InvalidInput

TOTAL = 10_000
_HUNDREDTH = Decimal("0.01")


def weight_from_percent(percent: float | str | Decimal, *, pointer: str) -> int:
    """Return 10,000ths for `5`, `"12.5%"` or `0.01`; InvalidInput for NaN, negatives, > 100 or a third decimal."""
    try:
        text = str(percent)  # ValueError for integers of thousands of digits
        value = Decimal(text.strip().removesuffix("%"))
    except (InvalidOperation, ValueError):
        raise InvalidInput("a weight is a number of percent, as in 5 or 12.5", pointer=pointer) from None
    shown = text[:32]
    if not value.is_finite() or not 0 <= value <= 100:
        raise InvalidInput(f"weight {shown} is not between 0 and 100 percent", pointer=pointer)
    hundredths = value.quantize(_HUNDREDTH)
    if hundredths != value:  # compared exactly, however many digits there are
        raise InvalidInput(f"weight {shown} has more than two decimals of a percent", pointer=pointer)
    return int(hundredths.scaleb(2))


def percent_from_weight(weight: int) -> float:
    """Return 10,000ths as percent with at most two decimals."""
    return weight / 100


class KeySource(StrEnum):
    """Where the filter finds what makes a user the same user next time."""

    HEADER = "header"
    COOKIE = "cookie"
    SOURCE = "source"


@dataclass(frozen=True, slots=True)
class SplitKey:
    """A header or cookie by name, or the client's address (without its port) when there is none."""

    source: KeySource = KeySource.SOURCE
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse a header or cookie without a usable name, and a name where there is nothing to name."""
        if (self.source is KeySource.SOURCE) != (not self.name):
            raise InvalidInput(f"a {self.source} key {'has no' if self.name else 'needs a'} name", pointer="/key")
        if self.name and not (self.name.isascii() and all(c.isalnum() or c in "-_." for c in self.name)):
            raise InvalidInput(f"{self.name!r} is not the name of a {self.source}", pointer="/key")


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of `weight` buckets that belong to `subset`."""

    subset: str
    weight: int


@dataclass(frozen=True, slots=True)
class Split:
    """Segments that add up to `TOTAL`, or none at all for a service that has no version yet.

    `salt` makes two services (or two experiments) draw different users; `key` says what a user is.
    """

    segments: tuple[Segment, ...] = ()
    key: SplitKey = SplitKey()
    salt: str = ""

    def __post_init__(self) -> None:
        """Refuse weights below 1 and totals other than 10,000."""
        for at, segment in enumerate(self.segments):
            if segment.weight < 1:
                raise InvalidInput(f"segment of weight {segment.weight}", pointer=f"/split/{at}/weight")
        total = sum(segment.weight for segment in self.segments)
        if self.segments and total != TOTAL:
            raise InvalidInput(f"weights add up to {total / 100:g} percent, not 100", pointer="/split")

    @classmethod
    def whole(cls, subset: str, *, key: SplitKey = SplitKey(), salt: str = "") -> Split:
        """Return the split that gives everything to one subset."""
        return cls((Segment(subset, TOTAL),), key, salt)

    @property
    def weights(self) -> dict[str, int]:
        """Return the total of each subset, in order of first appearance."""
        totals: dict[str, int] = {}
        for segment in self.segments:
            totals[segment.subset] = totals.get(segment.subset, 0) + segment.weight
        return totals

    def owner(self, bucket: int) -> str:
        """Return the subset that owns `bucket` (0 to 9,999), as Envoy's walk over the clusters finds it."""
        for segment in self.segments:
            if bucket < segment.weight:
                return segment.subset
            bucket -= segment.weight
        raise InvalidInput(f"bucket {bucket} lies outside the split", pointer="")

    def shift(self, weights: Mapping[str, int]) -> Split:
        """Return the split with these weights that moves no more users than the difference demands.

        Subsets that shrink give, the ones that grow take. A piece is cut where giver and taker already touch; where
        they do not, a giver that comes before the taker gives its highest buckets, one that comes after it its lowest.
        So a canary that grew from nothing out of one subset gives back, when it shrinks, exactly whom it took last: up
        and down it passes through the same sets of users. `weights` must add up to 10,000.
        """
        if sum(weights.values()) != TOTAL or min(weights.values()) < 0:
            raise InvalidInput(f"weights add up to {sum(weights.values()) / 100:g} percent, not 100", pointer="/split")
        if not self.segments:
            return Split(_tidy(Segment(name, weight) for name, weight in weights.items()), self.key, self.salt)
        held = self.weights
        wanted = {name: weights.get(name, 0) - held.get(name, 0) for name in {**held, **weights}}
        takes = {name: delta for name, delta in wanted.items() if delta > 0}
        gives = {name: -delta for name, delta in wanted.items() if delta < 0}
        segments = list(self.segments)
        for taker, giver in itertools.product(takes, gives):
            moved = min(takes[taker], gives[giver])
            if moved:
                order = list(held) if taker in held else [*weights, giver]  # a new one stands where it was declared
                tail_first = order.index(giver) < order.index(taker)
                segments = _move(segments, giver, taker, moved, tail_first=tail_first)
                takes[taker] -= moved
                gives[giver] -= moved
        return Split(tuple(segments), self.key, self.salt)

    def without(self, empty: Iterable[str], fallback: str) -> Split:
        """Return the split in which `fallback` owns the buckets of every subset in `empty`."""
        gone = set(empty)
        segments = (Segment(fallback if s.subset in gone else s.subset, s.weight) for s in self.segments)
        return Split(_tidy(segments), self.key, self.salt)


def _move(segments: list[Segment], giver: str, taker: str, amount: int, *, tail_first: bool) -> list[Segment]:
    """Give `amount` buckets of `giver` to `taker`, touching boundaries first."""
    while amount:
        at, at_tail = _cut(segments, giver, taker, tail_first=tail_first)
        owned = segments[at].weight
        piece = min(amount, owned)
        rest, moved = Segment(giver, owned - piece), Segment(taker, piece)
        pair = (rest, moved) if at_tail else (moved, rest)
        segments = list(_tidy([*segments[:at], *pair, *segments[at + 1 :]]))
        amount -= piece
    return segments


def _cut(segments: list[Segment], giver: str, taker: str, *, tail_first: bool) -> tuple[int, bool]:
    """Return which segment of `giver` to cut, and whether at its tail (else at its head)."""
    owned = [at for at, segment in enumerate(segments) if segment.subset == giver]
    if tail_first:
        owned.reverse()
    for at in owned:
        after = at + 1 < len(segments) and segments[at + 1].subset == taker
        before = at > 0 and segments[at - 1].subset == taker
        if after or before:
            return at, after if tail_first else not before
    return owned[0], tail_first


def _tidy(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """Drop empty segments and join neighbours of one subset."""
    tidy: list[Segment] = []
    for segment in segments:
        if tidy and tidy[-1].subset == segment.subset:
            tidy[-1] = Segment(segment.subset, tidy[-1].weight + segment.weight)
        elif segment.weight:
            tidy.append(segment)
    return tuple(tidy)
