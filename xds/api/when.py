"""Moments as callers write them: RFC 3339 (`2026-01-02T03:04:05Z`), or how long ago (`10m`)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from xds.model.duration import read_duration
from xds.model.problems import InvalidInput


def read_moment(text: str, now: datetime, *, what: str) -> datetime:
    """Return the moment in UTC; InvalidInput for what is neither. `what` names the parameter."""
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))  # a plus sign in a query means a space
    except ValueError:
        found = None
    try:
        if found is None:
            return now - timedelta(seconds=read_duration(text))
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidInput(
        f"{what} is {text[:64]!r}: a time with its zone, as in 2026-01-02T03:04:05Z, or how long ago, as in 10m",
        pointer=f"/{what}",
        code="moment",
    )
