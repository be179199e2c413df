"""How late the event loop wakes what is due: the first thing to look at when everything is slow at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from .histogram import Histogram

EVERY: Final = 0.1
"""Seconds between two looks."""
_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class LoopLag:
    """Sleeps a tenth of a second again and again, and counts how much longer it was. `clock`: monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.seconds = Histogram(_BOUNDS)

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            due = self._clock() + EVERY
            await asyncio.sleep(EVERY)
            self.seconds.observe(max(0.0, self._clock() - due))
