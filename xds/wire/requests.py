"""Discovery requests from bytes, field by field and no deeper than needed: most are answers and say next to nothing.

A stream reads its requests with one reader, which remembers the lists of names that came and skips a repeated one by
comparing bytes: an answer of a state-of-the-world client with a thousand names costs as much as one with a single name.
Field numbers: service/discovery/v3/discovery.proto, google/rpc/status.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from .errors import DecodeError
from .introduction import Introduction, introduction
from .names import KEY, NONE, Names, lists, read_names
from .scan import key as key_of
from .scan import span, text, walk

MAX_NAMES: Final = 100_000
"""Names that one request may list, unless the reader is told otherwise."""

_NAMES_REMEMBERED: Final = 8


class Request(NamedTuple):
    """What a request says. `error` is None unless the client refuses; `names` are those asked for or added.

    `version` and `dropped`, `initial` exist in one of the two protocols each, and are empty in the other.
    """

    type_url: str
    names: Names = NONE
    version: str = ""
    nonce: str = ""
    error: str | None = None
    node: Introduction | None = None
    dropped: Names = NONE
    initial: Mapping[str, str] = {}


class _Layout(NamedTuple):
    """Which wire key holds what: all of these are length-delimited."""

    version: int
    node: int
    type_url: int
    nonce: int
    error: int
    dropped: int
    initial: int
    locators: int
    locators_dropped: int


# 0 is no key: the field does not exist there.
_STATE: Final = _Layout(key_of(1), key_of(2), key_of(4), key_of(5), key_of(6), 0, 0, key_of(7), 0)
_DELTA: Final = _Layout(0, key_of(1), key_of(2), key_of(6), key_of(7), key_of(4), key_of(5), key_of(8), key_of(9))


class RequestReader:
    """Reads the requests of one stream. `read` raises DecodeError or TooManyNames, and nothing else."""

    __slots__ = ("_known", "_layout", "_limit")

    def __init__(self, *, delta: bool, max_names: int = MAX_NAMES) -> None:
        self._layout = _DELTA if delta else _STATE
        self._limit = max_names
        self._known: dict[bytes, Names] = {}

    def read(self, data: bytes) -> Request:
        """Return the request in `data`."""
        layout = self._layout
        type_url = version = nonce = ""
        error: str | None = None
        node: Introduction | None = None
        names = dropped = NONE
        initial: dict[str, str] = {}
        pos, size = 0, len(data)
        try:
            while pos < size:
                key = data[pos]
                if key == KEY:
                    more, pos = self._names(data, pos)
                    names = Names(names | more) if names else more
                    continue
                if key == layout.dropped:
                    more, pos = read_names(data, pos, self._limit, key)
                    dropped = Names(dropped | more) if dropped else more
                    continue
                key, pos, end = span(data, pos, size)
                if key == layout.type_url:
                    type_url = text(data, pos, end)
                elif key == layout.nonce:
                    nonce = text(data, pos, end)
                elif key == layout.version:
                    version = text(data, pos, end)
                elif key == layout.node:
                    node = introduction(data, pos, end)
                elif key == layout.error:
                    error = _words(data, pos, end)
                elif key == layout.initial:
                    name, known = _entry(data, pos, end)
                    initial[name] = known
                elif key == layout.locators:
                    names = Names({*names, _located(data, pos, end)})
                elif key == layout.locators_dropped:
                    dropped = Names({*dropped, _located(data, pos, end)})
                pos = end
        except IndexError:
            raise DecodeError("the request ends within a field", size) from None
        return Request(type_url, names, version, nonce, error, node, dropped, initial)

    def _names(self, data: bytes, start: int) -> tuple[Names, int]:
        for region, names in self._known.items():
            if lists(data, start, region):
                return names, start + len(region)
        names, end = read_names(data, start, self._limit)
        if self._layout is _STATE:  # in delta a list is said once
            if len(self._known) >= _NAMES_REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[names.region] = names
        return names, end


def _entry(data: bytes, pos: int, end: int) -> tuple[str, str]:
    """Return key and value of an entry of a map of texts."""
    name = value = ""
    while pos < end:
        key, pos, stop = span(data, pos, end)
        if key == key_of(1):
            name = text(data, pos, stop)
        elif key == key_of(2):
            value = text(data, pos, stop)
        pos = stop
    return name, value


def _words(data: bytes, start: int, end: int) -> str:
    """Return the message of a google.rpc.Status."""
    words = ""
    for found, begin, stop in walk(data, start, end):
        if found == key_of(2):
            words = text(data, begin, stop)
    return words


def _located(data: bytes, start: int, end: int) -> str:
    """Return the name in a resource locator; DecodeError where it carries parameters, of which we know none."""
    name, dynamic = "", False
    for found, begin, stop in walk(data, start, end):
        if found == key_of(1):
            name = text(data, begin, stop)
        dynamic = dynamic or found == key_of(2)
    if dynamic:
        raise DecodeError(f"resource {name!r} is asked for with dynamic parameters, which are not served", start)
    return name
