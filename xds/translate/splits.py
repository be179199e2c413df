"""Which weights really hold: a subset that nothing serves gives its buckets away until something does.

Knows names of subsets and which of them serve; refuses to know how a split is written into a route.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from xds.model.service import EVERY
from xds.model.split import Split

from . import naming


@dataclass(frozen=True, slots=True)
class Effective:
    """A split as it is sent. `empty` are the subsets that it passes over, `instead` is who takes their buckets.

    `instead` is "" when nothing is passed over, or when nothing at all serves and the split stays as it is.
    """

    split: Split
    empty: tuple[str, ...] = ()
    instead: str = ""


def effective(split: Split, serving: Set[str], stable: str) -> Effective:
    """Return the split in which every weighted subset serves, as far as that can be had.

    Buckets of an empty subset go to `stable` if it serves, else to the first subset of the split that does, else to
    every instance there is (an unseen version gets all traffic when there is nothing else). When nothing serves, the
    split stays: its clusters answer 503, and the weights are right the moment an instance is back.
    """
    if not split.segments:
        return Effective(Split.whole(EVERY, key=split.key, salt=split.salt))
    empty = tuple(name for name in split.weights if name not in serving)
    if not empty:
        return Effective(split)
    candidates = (stable, *split.weights, EVERY)
    instead = next((name for name in candidates if name in serving), "")
    if not instead:
        return Effective(split, empty)
    return Effective(split.without(empty, instead), empty, instead)


def clusters_of(service: str, split: Split, port: str = "") -> frozenset[str]:
    """Return the names of the clusters among which a split chooses."""
    return frozenset(naming.cluster(service, segment.subset, port) for segment in split.segments)
