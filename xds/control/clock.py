"""The machine's clocks behind `ports.Clock`; the only file that reads them."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """Monotonic seconds for deadlines, UTC for people."""

    def monotonic(self) -> float:
        """Return seconds that never go back and do not follow the wall clock."""
        return time.monotonic()

    def wall(self) -> datetime:
        """Return the present moment in UTC."""
        return datetime.now(UTC)
