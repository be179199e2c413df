"""Tallies: what is reported of some clusters from a moment on, for whoever judges by it.

A window forgets within a minute and a tally never does, so it is made for a question and closed with it. A report tells
of the time before it: what it covers from before the moment is not of this question, and such a report is left out as
a whole.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from xds.model.traffic import Answers, Attempts, Counts, Latency, Sample

LATELY: Final = 30.0
FLUSH: Final = 1.0
"""Seconds within which the messages of one flush of metrics arrive, which do not say what time they cover."""


class _Part:
    """What was reported of one group of clusters; attempts where anybody tells of them, for retries hide failures."""

    def __init__(self) -> None:
        self.attempts, self.answers = Attempts(), Answers()
        self.recent: deque[tuple[int, Attempts]] = deque()
        self.heard: float | None = None
        self.timed: float | None = None
        self.tells_attempts = False

    def sample(self, now: float) -> Sample:
        counted = self.attempts if self.tells_attempts else self.answers
        latency = Latency(dict(self.answers.latency.buckets))
        lately = [each for second, each in self.recent if second > now - LATELY]
        recent = Counts(sum(each.requests for each in lately), sum(each.errors for each in lately))
        asked = Counts(counted.requests, counted.errors)
        age, latency_age = (None if at is None else now - at for at in (self.heard, self.timed))
        return Sample(asked, recent, latency, age, latency_age)

    def attempted(self, attempts: Attempts, now: float) -> None:
        self.heard, self.tells_attempts = now, True
        self.attempts.join(attempts)
        if not self.recent or self.recent[-1][0] != int(now):
            self.recent.append((int(now), Attempts()))
        self.recent[-1][1].join(attempts)
        while self.recent[0][0] <= now - LATELY:
            self.recent.popleft()

    def answered(self, answers: Answers, now: float) -> None:
        self.heard = self.timed = now
        self.answers.follow(answers)


class Tally:
    """Sums from a moment on, one for each group of clusters of an environment."""

    def __init__(
        self, env: str, groups: Sequence[Iterable[str]], clock: Callable[[], float], end: Callable[[Tally], None]
    ) -> None:
        """Begin now; `end` is called once it is closed."""
        self.env = env
        self._parts = [_Part() for _ in groups]
        self._clock = clock
        self._end = end
        self._begun = clock()
        self._first: dict[str, float] = {}
        self._by_cluster = {cluster: part for part, group in zip(self._parts, groups, strict=True) for cluster in group}

    def read(self) -> Sequence[Sample]:
        """Return what was reported until now, in the order of the groups."""
        now = self._clock()
        return [part.sample(now) for part in self._parts]

    def close(self) -> None:
        """Count no more."""
        self._end(self)

    def attempted(self, cluster: str, attempts: Attempts, covers: float, now: float) -> None:
        """Add a load report that covers the last `covers` seconds."""
        part = self._by_cluster.get(cluster)
        if part is not None and now - covers >= self._begun:
            part.attempted(attempts, now)

    def answered(self, node: str, cluster: str, answers: Answers, now: float) -> None:
        """Add what a node flushed, but for its first flush, which covers an unknown time before."""
        part = self._by_cluster.get(cluster)
        if part is not None and now - self._first.setdefault(node, now) > FLUSH:
            part.answered(answers, now)


class Tallies:
    """Every tally that is open."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin with none; `clock` gives monotonic seconds."""
        self._clock = clock
        self._open: dict[str, list[Tally]] = {}
        self._begun = asyncio.Event()

    def begin(self, env: str, groups: Sequence[Iterable[str]]) -> Tally:
        """Return a tally of these groups of clusters; it counts until it is closed."""
        tally = Tally(env, groups, self._clock, self._end)
        self._open.setdefault(env, []).append(tally)
        self._begun.set()
        self._begun = asyncio.Event()
        return tally

    def is_open(self, env: str) -> bool:
        """Say whether anybody counts in an environment."""
        return env in self._open

    async def wait(self, at_most: float) -> None:
        """Return once another tally begins, or after `at_most` seconds."""
        try:
            async with asyncio.timeout(at_most):
                await self._begun.wait()
        except TimeoutError:
            return

    def attempted(self, env: str, cluster: str, attempts: Attempts, covers: float) -> None:
        """Add a load report to the tallies that it concerns."""
        for tally in self._open.get(env, ()):
            tally.attempted(cluster, attempts, covers, self._clock())

    def answered(self, env: str, node: str, cluster: str, answers: Answers) -> None:
        """Add flushed metrics to the tallies that they concern."""
        for tally in self._open.get(env, ()):
            tally.answered(node, cluster, answers, self._clock())

    def _end(self, tally: Tally) -> None:
        held = self._open.get(tally.env, [])
        if tally in held:
            held.remove(tally)
        if not held:
            self._open.pop(tally.env, None)
