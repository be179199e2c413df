"""Walks the fields of a message without decoding them: for large messages of which little is wanted.

Knows the wire format only; what a field means, its caller says. A walk checks what it steps over just enough to find
the next field, so what is skipped may be nonsense inside.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from .errors import DecodeError
from .fragments import FIXED32, FIXED64, LENGTH, VARINT
from .numbers import long_varint

_DOUBLE: Final = struct.Struct("<d").unpack_from


def key(number: int, wire_type: int = LENGTH) -> int:
    """Return what `walk` calls a field of this number and wire type."""
    return number << 3 | wire_type


def walk(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int, int]]:
    """Yield (key, start, stop) of each field of the message in `data[start:end]`; its value is `data[start:stop]`.

    Raises DecodeError where the next field cannot be found.
    """
    pos, end = start, len(data) if end is None else end
    try:
        while pos < end:
            found, begin, pos = span(data, pos, end)
            yield found, begin, pos
    except IndexError:
        raise DecodeError("input ends inside a value", len(data)) from None


def span(data: bytes, pos: int, end: int) -> tuple[int, int, int]:
    """Return the key at `pos`, and where the value behind it begins and stops.

    Raises DecodeError for a field that is none or runs beyond `end`, IndexError where `data` ends within its head.
    """
    begin = pos
    found = data[pos]
    pos += 1
    if found > 0x7F:
        found, pos = long_varint(data, begin)
    wire = found & 7
    if wire == LENGTH:
        size = data[pos]
        pos += 1
        if size > 0x7F:
            size, pos = long_varint(data, pos - 1)
        stop = pos + size
    elif wire == VARINT:
        stop = long_varint(data, pos)[1]
    elif wire in {FIXED64, FIXED32}:
        stop = pos + (8 if wire == FIXED64 else 4)
    else:
        raise DecodeError(f"wire type {wire} is a group or does not exist", begin)
    if stop > end or found < 8:
        raise DecodeError("value runs beyond its message" if found >= 8 else "field 0 does not exist", begin)
    return found, pos, stop


def text(data: bytes, start: int, stop: int) -> str:
    """Return the string in `data[start:stop]`; DecodeError if it is not UTF-8."""
    try:
        return data[start:stop].decode()
    except UnicodeDecodeError as error:
        raise DecodeError("string is not UTF-8", start + error.start) from None


def number(data: bytes, start: int) -> int:
    """Return the varint (0 to 2**64 - 1) at a place that `walk` has found."""
    return long_varint(data, start)[0]


def double(data: bytes, start: int) -> float:
    """Return the double at a place that `walk` has found."""
    value: float = _DOUBLE(data, start)[0]
    return value
