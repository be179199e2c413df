"""The scalar types of the documents: percent, durations, ports, names, and how each is written out again.

Numbers are never read from text and never from booleans; durations are, because `30s` is what people mean.
"""

from __future__ import annotations

import math
import re
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from xds.model.split import percent_from_weight

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"(?:\d{1,12}(?:\.\d{1,6})?(?:ms|s|m|h|d))+\Z")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def read_duration(value: object) -> float:
    """Return seconds for `0.5`, `"500ms"`, `"1m30s"`; ValueError for anything else, negatives and NaN included."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if math.isfinite(value) and value >= 0:
            return float(value)
    elif isinstance(value, str) and _DURATION.match(value):
        return round(sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(value)), 9)
    shown = repr(value)[:64] if isinstance(value, str | int | float) else "this"
    message = f"{shown} is not a duration: a number of seconds, or text such as 500ms, 5s, 2m"
    raise ValueError(message)


def write_duration(seconds: float) -> str:
    """Return the shortest exact text with one unit, which reads back to the same number: `90s`, `2m`, `250ms`."""
    if seconds and seconds % 60 == 0:
        hours = seconds % 3600 == 0
        return f"{seconds / 3600:.0f}h" if hours else f"{seconds / 60:.0f}m"
    if 0 < seconds < 1:
        return f"{round(seconds * 1000, 6):.12g}ms"
    return f"{seconds:.12g}s"


def write_percent(weight: int) -> float | int:
    """Return 10,000ths as percent, whole numbers without a fraction."""
    percent = percent_from_weight(weight)
    return int(percent) if percent == int(percent) else percent


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
