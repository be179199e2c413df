"""Limits that need a memory: rates, and writes that must end. Time is an argument (monotonic seconds)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from xds.model.problems import FairleadError


class LimitReached(FairleadError):
    """A client asked for more than it may. `limit` names what was reached."""

    slug = "limit_reached"

    def __init__(self, message: str, limit: str) -> None:
        super().__init__(message)
        self.limit = limit


class Bucket:
    """So many at once, and so many a second in the long run."""

    __slots__ = ("_at", "_burst", "_left", "_rate")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = self._left = burst
        self._at: float | None = None

    def take(self, now: float) -> bool:
        """Take one; False if none is left."""
        if self._at is not None:
            self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def whole(self, now: float) -> bool:
        """Say whether as many can be taken as from a new one."""
        return self._at is None or self._left + (now - self._at) * self._rate >= self._burst


class Writer(Protocol):
    """Somebody whose write can be cut off."""

    def cut(self) -> None:
        """End the write that is under way."""
        ...


LOOKS: Final = 4
"""Looks at the writes within the time that one may take."""


class Watchdog:
    """Cuts off writes that take longer than `deadline`: one look at all of them now and then, not a timer for each.

    A timer for every write was a twentieth of the cost of a push. The price: a write may take a quarter longer.
    """

    def __init__(self, deadline: float, clock: Callable[[], float]) -> None:
        self._deadline = deadline
        self._clock = clock
        self._writing: dict[Writer, float] = {}
        self._next: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to look, on the running loop."""
        self._next = asyncio.get_running_loop().call_later(self._deadline / LOOKS, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._next is not None:
            self._next.cancel()

    def began(self, writer: Writer, now: float) -> None:
        """Note that a write began."""
        self._writing[writer] = now

    def ended(self, writer: Writer) -> None:
        """Note that it ended, however."""
        self._writing.pop(writer, None)

    def _look(self) -> None:
        horizon = self._clock() - self._deadline
        for writer in [writer for writer, since in self._writing.items() if since <= horizon]:
            writer.cut()
        self.start()
