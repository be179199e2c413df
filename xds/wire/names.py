"""Lists of resource names as clients send them: read from bytes once, shared by everybody who sends the same.

A thousand sidecars of one kind ask for the same thousand names, and a state-of-the-world client repeats its whole list
with every answer. So a list is known by its bytes: equal bytes give the same object, and a list that is repeated is
recognised without being read again.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import Final
from weakref import WeakValueDictionary, ref

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

_LONG: Final = 16
"""Names from which on a list is worth remembering by its beginning."""

_LATEST: Final[deque[ref[Names]]] = deque(maxlen=8)
"""The long lists read last: a client that comes after others of its kind asks for one of them."""


def read_names(data: bytes, start: int, limit: int, key: int = KEY) -> tuple[Names, int]:
    """Return the names listed from `start` on, where `data` has the first `key`, and where the list ends.

    Raises DecodeError for a list that is no list, TooManyNames beyond `limit`, IndexError where `data` ends within a
    length.
    """
    for latest in _LATEST:
        known = latest()
        if known is not None and len(known) <= limit and lists(data, start, known.region, key):
            return known, start + len(known.region)
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
        if len(spans) >= _LONG:
            _LATEST.append(ref(known))
    return known, pos


def lists(data: bytes, start: int, region: bytes, key: int = KEY) -> bool:
    """Return whether the list that starts here in `data` is, byte for byte, the one in `region`."""
    end = start + len(region)
    return data.startswith(region, start) and (end == len(data) or data[end] != key)


def _text(data: bytes, start: int, end: int) -> str:
    try:
        return data[start:end].decode()
    except UnicodeDecodeError as error:
        raise DecodeError("a name is not UTF-8", start + error.start) from None
