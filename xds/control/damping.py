"""Flap damping: an instance's health changes at most once a second, and the last state is always delivered.

What changes for the first time passes at once. One that keeps changing has to stay well before it is believed.
It knows who changed and when, and not why; time is an argument.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from xds.model.health import Health

HOLD: Final = 1.0
"""Seconds between two changes of one instance."""
FLAPS: Final = 6
MEMORY: Final = 60.0
"""So many changes within so many seconds are flapping."""
CALM: Final = 10.0
"""Seconds that one that flaps has to stay well before it is believed."""


@dataclass(slots=True)
class _Past:
    changes: deque[float] = field(default_factory=lambda: deque(maxlen=FLAPS))
    ill: float = 0.0  # when it was last said to be anything but well
    wanted: Health | None = None
    due: float = 0.0


class Damping:
    """What may change now, and what has to wait until when."""

    def __init__(self) -> None:
        """Start with nobody having changed."""
        self._pasts: dict[str, _Past] = {}
        self._heap: list[tuple[float, str]] = []

    def want(self, member: str, standing: Health, wanted: Health, now: float) -> bool:
        """Say whether `member` may change from `standing` to `wanted` now; otherwise `released` gives it later."""
        past = self._pasts.get(member)
        if past is None:
            if wanted is standing:
                return False
            past = self._pasts[member] = _Past()
        if wanted is not Health.HEALTHY:
            past.ill = now
        if wanted is standing:
            past.wanted = None
            return False
        earliest = past.changes[-1] + HOLD if past.changes else now
        if wanted is Health.HEALTHY and self._flaps(past, now):
            earliest = max(earliest, past.ill + CALM)
        if now >= earliest:
            self._change(member, past, now)
            return True
        past.wanted = wanted
        if past.due != earliest:
            past.due = earliest
            heapq.heappush(self._heap, (earliest, member))
        return False

    def released(self, now: float) -> Iterator[tuple[str, Health]]:
        """Yield who may change now, and to what."""
        while self._heap and self._heap[0][0] <= now:
            at, member = heapq.heappop(self._heap)
            past = self._pasts.get(member)
            if past is None or past.due != at:
                continue
            if past.wanted is not None:
                wanted = past.wanted
                self._change(member, past, now)
                yield member, wanted
            elif now - past.changes[-1] >= MEMORY:
                del self._pasts[member]
            else:
                self._remember(member, past)

    @property
    def next(self) -> float | None:
        """Return when `released` has something to do."""
        return self._heap[0][0] if self._heap else None

    def forget(self, member: str) -> None:
        """Forget an instance that went."""
        self._pasts.pop(member, None)

    def flapping(self, now: float) -> list[str]:
        """Return who keeps changing, in order."""
        return sorted(member for member, past in self._pasts.items() if self._flaps(past, now))

    def flaps(self, member: str, now: float) -> bool:
        """Say whether an instance keeps changing."""
        past = self._pasts.get(member)
        return past is not None and self._flaps(past, now)

    def _change(self, member: str, past: _Past, now: float) -> None:
        past.changes.append(now)
        past.wanted = None
        self._remember(member, past)

    def _remember(self, member: str, past: _Past) -> None:
        past.due = past.changes[-1] + MEMORY
        heapq.heappush(self._heap, (past.due, member))

    @staticmethod
    def _flaps(past: _Past, now: float) -> bool:
        return len(past.changes) == FLAPS and now - past.changes[0] <= MEMORY
