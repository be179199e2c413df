"""When to publish: the first changes after a silence at once, then coalesced, and bad news never held back.

A publish that takes longer than a silence is followed by a rest, so that a flood of changes, each of another service,
leaves the loop time for whoever makes them. Pure: time is an argument, in monotonic seconds.
"""

from __future__ import annotations

QUIET = 0.1
CEILING = 1.0
REST = 0.2
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
        self._cost = 0.0
        self._free = float("-inf")

    def changed(self, now: float, *, urgent: bool = False) -> None:
        """Note a change at `now`; an urgent one (an endpoint going down) is due at once."""
        if now - self._last_change >= self._quiet:
            self._left = AT_ONCE
        if self._due is None:
            self._first = now
        if urgent:
            self._due = now
        elif self._due is None and self._left:
            self._due = max(now, self._free)
        elif self._due is None or self._due > now:
            self._due = max(min(now + self._quiet, self._first + self._ceiling), self._free)
        self._last_change = now

    def worked(self, now: float) -> None:
        """Note that changes were still being dealt with at `now`: the silence begins only then.

        Otherwise a loop that takes longer than a silence over each batch would take every batch for the first.
        """
        self._last_change = max(self._last_change, now)

    def due(self) -> float | None:
        """Return when to publish, or None when nothing is pending."""
        return self._due

    def spent(self, seconds: float) -> None:
        """Note what a stretch of publishing took."""
        self._cost += seconds

    def published(self, now: float) -> None:
        """Note that everything pending has gone out by `now`; if that took longer than a silence it is rested for."""
        self._due = None
        self._left = max(0, self._left - 1)
        self._free = now + REST if self._cost > self._quiet else now
        self._cost = 0.0
