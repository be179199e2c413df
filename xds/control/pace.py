"""When to publish: the first changes after a silence at once, then coalesced, and bad news never held back.

Pure: time is an argument, in monotonic seconds.
"""

from __future__ import annotations

QUIET = 0.1
CEILING = 1.0
AT_ONCE = 3
"""Publishes after a silence that wait for nothing. What comes with one container comes in so many changes: its
instance, then its service and routes, then its health."""


class Pace:
    """A debounce with a leading edge and a ceiling."""

    def __init__(self, quiet: float = QUIET, ceiling: float = CEILING) -> None:
        """Wait for `quiet` seconds of silence, for `ceiling` seconds at most."""
        self._quiet = quiet
        self._ceiling = ceiling
        self._last_change = float("-inf")
        self._due: float | None = None
        self._first = 0.0
        self._left = AT_ONCE

    def changed(self, now: float, *, urgent: bool = False) -> None:
        """Note a change at `now`; an urgent one (an endpoint going down) is due at once."""
        if now - self._last_change >= self._quiet:
            self._left = AT_ONCE
        if self._due is None:
            self._first = now
        if urgent or (self._due is None and self._left):
            self._due = now
        elif self._due is None or self._due > now:
            self._due = min(now + self._quiet, self._first + self._ceiling)
        self._last_change = now

    def worked(self, now: float) -> None:
        """Note that changes were still being dealt with at `now`: the silence begins only then.

        Otherwise a loop that takes longer than a silence over each batch would take every batch for the first.
        """
        self._last_change = max(self._last_change, now)

    def due(self) -> float | None:
        """Return when to publish, or None when nothing is pending."""
        return self._due

    def published(self) -> None:
        """Note that everything pending has gone out."""
        self._due = None
        self._left = max(0, self._left - 1)
