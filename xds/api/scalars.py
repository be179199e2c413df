"""The scalar types of the documents: percent, durations, ports, names, and how percent is written out again.

Numbers are never read from text and never from booleans; durations are, because `30s` is what people mean.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from xds.model.duration import read_duration
from xds.model.split import percent_from_weight


def write_percent(weight: int) -> float | int:
    """Return 10,000ths as percent, whole numbers without a fraction."""
    percent = percent_from_weight(weight)
    return int(percent) if percent == int(percent) else percent


def read_moment(value: object) -> datetime:
    """Return a moment in UTC for `2026-03-01T12:00:00Z` or seconds since 1970; ValueError for anything else."""
    try:
        if isinstance(value, str) and (found := datetime.fromisoformat(value)).tzinfo is not None:
            return found.astimezone(UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        pass  # said in one way below
    shown = repr(value)[:64] if isinstance(value, str | int | float) else "this"
    message = f"{shown} is not a moment: text such as 2026-03-01T12:00:00Z, or seconds since 1970"
    raise ValueError(message)


Moment = Annotated[
    datetime,
    BeforeValidator(read_moment),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "format": "date-time"}]}),
]
"""A moment on somebody's clock."""

Duration = Annotated[
    float,
    BeforeValidator(read_duration),
    WithJsonSchema(
        {
            "anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d))+$"}],
            "description": "seconds, or text such as 500ms, 5s, 2m",
            "examples": ["5s"],
        }
    ),
]
"""Seconds; a number, or text with units."""

Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False, description="percent, at most two decimals")]
"""A share in percent."""

Port = Annotated[int, Field(ge=1, le=65_535, description="a TCP port")]
"""A TCP port."""

Name = Annotated[str, Field(max_length=256, description="lower case letters, digits, '.', '_', '-'")]
"""An id; `model` says which characters it may have."""

Line = Annotated[
    str, Field(max_length=4096, pattern=r"^[^\x00-\x1f\x7f]*$", description="text without control characters")
]
"""Text that goes into Envoy's configuration as it is."""
