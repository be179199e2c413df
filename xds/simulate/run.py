"""One run: every request of the traffic through a proxy, and what its users saw with and without the breaker.

Without it each user is answered by the version that owns the bucket; that needs no second run, since a request meets
the same answer on the same version either way.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from xds.model.bucket import bucket
from xds.simulate.proxy import Placed, Proxy, Setting, Transition
from xds.simulate.traffic import Answer, Request, Traffic

BINS: Final = 60
"""Parts of a run that are counted by themselves."""

_NEVER: Final = 1 << 62


@dataclass(slots=True)
class Counts:
    """Requests of a time: all, those sent to another version than their bucket's, those that the filter answered.

    `failed`, `waited_ns` (sums), `served` and `failures` (by version) are with the breaker; `would_fail`,
    `would_wait_ns`, `home` and `home_failures` without.
    """

    requests: int = 0
    remapped: int = 0
    rejected: int = 0
    failed: int = 0
    would_fail: int = 0
    waited_ns: int = 0
    would_wait_ns: int = 0
    served: dict[str, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    home: dict[str, int] = field(default_factory=dict)
    home_failures: dict[str, int] = field(default_factory=dict)

    def add(self, home: str, expected: Answer, version: str | None, answer: Answer | None) -> None:
        """One request: whom its bucket belongs to, and who answered it, None for the filter itself."""
        self.requests += 1
        self.would_wait_ns += expected.after_ns
        _count(self.home, home)
        if expected.failed:
            self.would_fail += 1
            _count(self.home_failures, home)
        if version is None or answer is None:
            self.rejected += 1
            self.failed += 1
            return
        self.waited_ns += answer.after_ns
        self.remapped += version != home
        _count(self.served, version)
        if answer.failed:
            self.failed += 1
            _count(self.failures, version)


def _count(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a setting. `bins` are equal parts of `length_ns`, by the time at which a request came."""

    setting: Setting
    length_ns: int
    total: Counts
    bins: Sequence[Counts]
    transitions: Sequence[Transition]
    complaints: Mapping[str, int]

    @property
    def opens(self) -> int:
        """How often a breaker opened."""
        return sum(each.after == "open" for each in self.transitions)

    def state(self, version: str, at_ns: int) -> str:
        """A version's breaker at a moment."""
        before = [each for each in self.transitions if each.version == version and each.at_ns <= at_ns]
        return before[-1].after if before else "closed"


def simulate(module: bytes, traffic: Traffic, setting: Setting, length_ns: int) -> Run:
    """Plays all of the traffic. Raises Refused where the module is no filter, Trapped where it fails."""
    total, bins = Counts(), [Counts() for _ in range(BINS)]
    home_of = lru_cache(maxsize=1 << 16)(lambda key: setting.split.owner(bucket(setting.split.salt, key)))
    with Proxy(module, setting) as proxy:
        under_way: list[tuple[int, int, Placed, Answer]] = []
        for number, request in enumerate(traffic.requests()):
            _pass_time(proxy, under_way, request.at_ns)
            home = home_of(request.key)
            placed = proxy.place(request)
            answer = _answer(traffic, request, placed)
            for counts in (total, bins[min(request.at_ns * BINS // length_ns, BINS - 1)]):
                counts.add(home, traffic.answer(request, home), placed.version, answer)
            ended = answer or Answer(_REJECTED, 0)
            heapq.heappush(under_way, (request.at_ns + ended.after_ns, number, placed, ended))
        _pass_time(proxy, under_way, length_ns)
        _finish_all(proxy, under_way)
        complaints: dict[str, int] = {}
        for line in proxy.complaints:
            _count(complaints, line.text)
        return Run(setting, length_ns, total, bins, proxy.transitions, complaints)


_REJECTED: Final = 503


def _answer(traffic: Traffic, request: Request, placed: Placed) -> Answer | None:
    return None if placed.version is None else traffic.answer(request, placed.version)


def _pass_time(proxy: Proxy, under_way: list[tuple[int, int, Placed, Answer]], until_ns: int) -> None:
    """Lets everything happen that is due before a moment, in order; at the same time ends come before timers."""
    due = proxy.due_ns
    while True:
        end = under_way[0][0] if under_way else _NEVER
        timer = _NEVER if due is None else due
        if min(end, timer) > until_ns:
            break
        proxy.now_ns = max(min(end, timer), proxy.now_ns)
        if end <= timer:
            _, _, placed, answer = heapq.heappop(under_way)
            proxy.finish(placed, answer)
        else:
            proxy.run_due()
            due = proxy.due_ns
    proxy.now_ns = until_ns


def _finish_all(proxy: Proxy, under_way: list[tuple[int, int, Placed, Answer]]) -> None:
    """Ends what is still under way when the traffic is over; it belongs to requests that were counted."""
    while under_way:
        end, _, placed, answer = heapq.heappop(under_way)
        _pass_time(proxy, [], end)
        proxy.finish(placed, answer)
