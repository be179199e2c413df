"""Lists of resource names as clients send them: read from bytes once, shared by everybody who sends the same.

A thousand sidecars of one kind ask for the same thousand names, and a state-of-the-world client repeats its whole list
with every answer. So a list is known by its bytes: equal bytes give the same object, and a list that is repeated is
recognised without being read again.
"""

from __future__ import annotations

import sys
from typing import Final
from weakref import WeakValueDictionary

from .errors import DecodeError
from .numbers import long_varint

KEY: Final = 0x1A
"""The wire key of field 3, under which both discovery requests list names (discovery.proto)."""


class TooManyNames(ValueError):
    """A request lists more names than are accepted. `limit` is how many that is."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} resource names in one request")
        self.limit = limit


class Names(frozenset[str]):
    """The names of one list; their order means nothing. `region` is the bytes they were read from, if any."""

    __slots__ = ("region",)

    region: bytes


NONE: Final = Names()

_POOL: WeakValueDictionary[bytes, Names] = WeakValueDictionary()


def read_names(data: bytes, start: int, limit: int, key: int = KEY) -> tuple[Names, int]:
    """Return the names listed from `start` on, where `data` has the first `key`, and where the list ends.

    Raises DecodeError for a list that is no list, TooManyNames beyond `limit`, IndexError where `data` ends within a
    length.
    """
    spans: list[tuple[int, int]] = []
    pos, size = start, len(data)
    while pos < size and data[pos] == key:
        length = data[pos + 1]
        pos += 2
        if length > 0x7F:
            length, pos = long_varint(data, pos - 1)
        if pos + length > size:
            raise DecodeError("a name runs past the end", pos)
        spans.append((pos, pos + length))
        pos += length
        if len(spans) > limit:
            raise TooManyNames(limit)
    region = data[start:pos]
    known = _POOL.get(region)
    if known is None:
        # Interned, for the same name stands in many different lists; such strings go when the last list goes.
        known = _POOL[region] = Names(sys.intern(_text(data, *span)) for span in spans)
        known.region = region
    return known, pos


def _text(data: bytes, start: int, end: int) -> str:
    try:
        return data[start:end].decode()
    except UnicodeDecodeError as error:
        raise DecodeError("a name is not UTF-8", start + error.start) from None
