"""Times as text, as people write them: `500ms`, `5s`, `1m30s`; seconds everywhere else."""

from __future__ import annotations

import math
import re

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
