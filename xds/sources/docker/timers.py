"""When to look at each of many again: what is due is found without walking all of them."""

from __future__ import annotations

import heapq
from math import inf


class Timers:
    """One moment for each key, the last that was set; infinity is never. A heap, in which what is old is skipped."""

    def __init__(self) -> None:
        """Wait for nothing."""
        self._moments: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def set(self, key: str, moment: float) -> None:
        """Put a key's moment in place of the one before."""
        if moment == inf:
            self._moments.pop(key, None)
        elif self._moments.get(key) != moment:
            self._moments[key] = moment
            heapq.heappush(self._heap, (moment, key))

    def next(self) -> float:
        """Return the earliest moment, infinity without any."""
        while self._heap and self._moments.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else inf

    def take(self, now: float) -> list[str]:
        """Return the keys whose moment has come, the earliest first; they are not set any more."""
        found = []
        while self.next() <= now:
            _, key = heapq.heappop(self._heap)
            del self._moments[key]
            found.append(key)
        return found
