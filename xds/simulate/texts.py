"""The small language of the options: `v2=10,errors=50%,from=10s,to=40s,ms=20`, times and shares."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from xds.model.problems import InvalidInput

_TIME: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)\Z")
_UNITS: Final[Mapping[str, int]] = {"ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000}

NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000


def pairs(text: str, *, pointer: str) -> Iterator[tuple[str, str]]:
    """Yield name and value of each part; a part without `=` has an empty value. InvalidInput for an empty part."""
    for part in text.split(","):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if not name:
            raise InvalidInput(f"{text!r} has a part without a name", pointer=pointer)
        yield name, value


def duration_ns(text: str, *, pointer: str) -> int:
    """Return nanoseconds for `20ms`, `1.5s`, `2m`, `1h`."""
    found = _TIME.match(text.strip())
    if found is None:
        raise InvalidInput(f"{text!r} is no time, as in 500ms, 10s or 2m", pointer=pointer)
    return round(float(found[1]) * _UNITS[found[2]])


def share(text: str, *, pointer: str) -> float:
    """Return 0 to 1 for `50%`, `50` or `0.5%`."""
    try:
        value = float(text.strip().removesuffix("%"))
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise InvalidInput(f"{text!r} is no share, as in 0, 2.5% or 50%", pointer=pointer)
    return value / 100


def whole(text: str, *, least: int, most: int, pointer: str) -> int:
    """Return a whole number between two others."""
    if not (text.strip().isascii() and text.strip().isdigit() and least <= int(text) <= most):
        raise InvalidInput(f"{text!r} is no whole number from {least} to {most}", pointer=pointer)
    return int(text)
