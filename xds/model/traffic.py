"""What was measured of the traffic to one cluster, as sums that can be added up: over time, over Envoys, over ports.

Knows no clock and no source. Two views of the same traffic stay apart, because they count different things: *answers*
are what callers got, *attempts* what endpoints were asked, and a retry is one more attempt and no more answer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

MOST_BUCKETS: Final = 256
MOST_CATEGORIES: Final = 32
"""What one sum tells apart; the names are the reporters', and nobody's names may grow without end."""
_REST: Final = (0.0, math.inf)
OTHER: Final = "other"


class Latency:
    """Times in milliseconds, counted in buckets (above, up to]. The bounds of Envoys that are added up may differ."""

    __slots__ = ("buckets",)

    def __init__(self, buckets: dict[tuple[float, float], int] | None = None) -> None:
        self.buckets = {} if buckets is None else buckets

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Latency) and self.buckets == other.buckets

    def __repr__(self) -> str:
        return f"Latency({self.buckets!r})"

    @property
    def count(self) -> int:
        """Return how many times were counted."""
        return sum(self.buckets.values())

    def add(self, other: Latency) -> None:
        """Count what `other` has counted, too."""
        mine = self.buckets
        for bounds, count in other.buckets.items():
            known = bounds if bounds in mine or len(mine) < MOST_BUCKETS else _REST
            mine[known] = mine.get(known, 0) + count

    def quantile(self, share: float) -> float | None:
        """Return the time that `share` (0 to 1) of all stay within, evenly spread inside a bucket; None without any.

        A bucket without an end gives its beginning: the answer is then a lower bound.
        """
        rest = share * self.count
        found = None
        for (above, upto), count in sorted(self.buckets.items(), key=_by_end):
            if not count:
                continue
            found = above if math.isinf(upto) else above + (upto - above) * min(1.0, rest / count)
            if rest <= count:
                break
            rest -= count
        return found

    def is_bounded(self, share: float) -> bool:
        """Say whether the quantile of `share` is the time itself, and no lower bound of it."""
        endless = sum(count for (_, upto), count in self.buckets.items() if math.isinf(upto))
        return endless <= (1 - share) * self.count

    def beyond(self, bound: float) -> int:
        """Return how many were longer than `bound` for certain: in buckets that begin there or later."""
        return sum(count for (above, _), count in self.buckets.items() if above >= bound)


@dataclass(slots=True)
class Answers:
    """What callers got, after retries. `errors` are 5xx, those that Envoy gave itself included."""

    requests: int = 0
    errors: int = 0
    latency: Latency = field(default_factory=Latency)

    def follow(self, later: Answers) -> None:
        """Add what the same Envoy said later."""
        self.requests += later.requests
        self.errors += later.errors
        self.latency.add(later.latency)

    def join(self, other: Answers) -> None:
        """Add what another Envoy, or another cluster, had."""
        self.follow(other)


@dataclass(slots=True)
class Attempts:
    """What endpoints were asked, retries included. `requests` are over: answered, or failed (`errors`: 5xx, resets).

    `issued` were begun, `in_progress` is how many were under way at the end of the last report, `drops` (by category)
    never reached an endpoint.
    """

    requests: int = 0
    errors: int = 0
    issued: int = 0
    in_progress: int = 0
    drops: dict[str, int] = field(default_factory=dict)

    def follow(self, later: Attempts) -> None:
        """Add what the same Envoy said later; what is in progress now is what it said last."""
        self.join(later)
        self.in_progress = later.in_progress

    def join(self, other: Attempts) -> None:
        """Add what another Envoy, or another cluster, had."""
        self.requests += other.requests
        self.errors += other.errors
        self.issued += other.issued
        self.in_progress += other.in_progress
        for category, count in other.drops.items():
            known = category if category in self.drops or len(self.drops) < MOST_CATEGORIES else OTHER
            self.drops[known] = self.drops.get(known, 0) + count


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that was measured of some clusters together, within one window. None and nothing are *no data*.

    Nodes are told by id, endpoints by `host:port`, localities by `region/zone`; endpoints and localities have attempts
    only, and no `in_progress`, which no single Envoy can tell for all.
    """

    answers: Answers | None
    attempts: Attempts | None
    answers_by_node: Mapping[str, Answers]
    attempts_by_node: Mapping[str, Attempts]
    endpoints: Mapping[str, Attempts]
    localities: Mapping[str, Attempts]


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests that are over, and those of them that failed."""

    requests: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """What was measured of one version since its present weight holds.

    `asked` are all of its requests, `lately` those of the last half minute; `age` is for how many seconds no Envoy has
    spoken of it, and `latency_age` of its times, None: since ever. For `away` seconds no instance could serve it.
    """

    asked: Counts = Counts()
    lately: Counts = Counts()
    latency: Latency = field(default_factory=Latency)
    age: float | None = None
    latency_age: float | None = None
    away: float = 0.0


def success_rate(measured: Answers | Attempts) -> float | None:
    """Return the share (0 to 1) that was no error; None where nothing was asked."""
    return 1 - measured.errors / measured.requests if measured.requests else None


def _by_end(item: tuple[tuple[float, float], int]) -> tuple[float, float]:
    (above, upto), _ = item
    return upto, above
