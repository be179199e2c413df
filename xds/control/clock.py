"""The machine's clocks behind `ports.Clock`; the only file that reads them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final

_MONOTONIC: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """Monotonic seconds for deadlines, UTC for people."""

    def monotonic(self) -> float:
        """Return seconds that never go back and do not follow the wall clock.

        On Linux they go on while the host is suspended, so that a suspension is noticed as the absence that it was.
        """
        return time.clock_gettime(_MONOTONIC)

    def wall(self) -> datetime:
        """Return the present moment in UTC."""
        return datetime.now(UTC)
