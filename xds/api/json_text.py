"""JSON as the API reads it: stricter than `json.loads`, and bounded before it is parsed.

The standard parser takes NaN and 1e999, keeps the last of two equal keys without a word, recurses as deep as the text
asks and spends quadratic time on a number of a million digits. Every one of those is refused here, with the pointer to
the place or its line and column.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from xds.model.labels import escape
from xds.model.problems import InvalidInput

MAX_DEPTH = 64
MAX_DIGITS = 64
MAX_INTEGER = 19  # digits and sign; every integer of the API fits

_UNSURE = object()
_LONG = b"0" * (MAX_INTEGER - 1)
_DIGITS = bytes.maketrans(b"123456789", b"000000000")

# Possessive, and an unterminated string runs to the end: linear for every input.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_TO_BRACES = bytes.maketrans(b"[]", b"{}")
_NOT_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class BrokenJson(InvalidInput):
    """The body is not JSON at all, or not the JSON that everybody reads alike (HTTP 400)."""

    slug = "broken_json"


@dataclass(slots=True)
class _Refused:
    """Stands in the parsed value where something must not be; found again to say where."""

    message: str
    code: str
    under: str = ""


def parse(body: bytes) -> object:
    """Return the value of a JSON text; BrokenJson says what is wrong and where."""
    value = _plain(body)
    return _parse(body) if value is _UNSURE else value


def _plain(body: bytes) -> object:
    """Return the value of a text that is certainly as plain as it has to be, a few times faster; _UNSURE of any other.

    A text is plain when its value, written down again, gives the same text but for the space between: then no key
    stands twice, and no number is spelled in a way that this parser reads otherwise.
    """
    if b"\\" in body or _LONG in body.translate(_DIGITS):
        return _UNSURE
    try:
        value: object = msgspec.json.decode(body)
        again = msgspec.json.encode(value)
    except (msgspec.MsgspecError, ValueError, RecursionError):  # of bytes that are no UTF-8, a ValueError
        return _UNSURE
    return value if (again == body or again == _without_space(body)) and _is_shallow(value) else _UNSURE


def _without_space(body: bytes) -> bytes:
    """Return a text, in whose strings nothing is escaped, without the space between them."""
    parts = body.split(b'"')
    parts[::2] = b'"'.join(parts[::2]).translate(None, b" \t\r\n").split(b'"')
    return b'"'.join(parts)


def _is_shallow(value: object) -> bool:
    """Say whether a value nests no deeper than allowed."""
    level = [value] if type(value) in {dict, list} else []
    for _ in range(MAX_DEPTH):
        level = [
            each
            for item in level
            for each in (item.values() if type(item) is dict else item)  # type: ignore[attr-defined]  # a list, then
            if type(each) is dict or type(each) is list
        ]
        if not level:
            return True
    return False


def _parse(body: bytes) -> object:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BrokenJson(f"the body is not UTF-8: {error.reason} at byte {error.start + 1}") from None
    if _too_deep(body):
        raise BrokenJson(f"the body is nested deeper than {MAX_DEPTH} levels", code="too_deep")
    refused: list[_Refused] = []
    decoder = _decoder(refused)
    try:
        value: object = decoder.decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise BrokenJson(f"the body is not JSON: {error.msg} at {place}") from None
    except RecursionError:
        raise BrokenJson(f"the body is nested deeper than {MAX_DEPTH} levels", code="too_deep") from None
    if refused:
        pointer, first = next(_places(value))
        raise BrokenJson(first.message, pointer=pointer + first.under, code=first.code)
    if _SURROGATE.search(text):
        _check_surrogates(value)
    return value


def _decoder(refused: list[_Refused]) -> json.JSONDecoder:
    def refuse(message: str, code: str, under: str = "") -> _Refused:
        refused.append(_Refused(message, code, under))
        return refused[-1]

    def pairs(items: list[tuple[str, object]]) -> object:
        table = dict(items)
        if len(table) == len(items):
            return table
        seen: set[str] = set()
        twice = next(key for key, _ in items if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # add() is called for its effect
        return refuse(f"the key {twice[:64]!r} stands here twice", "duplicate_key", f"/{escape(twice[:64])}")

    def integer(text: str) -> object:
        return int(text) if len(text) <= MAX_INTEGER else refuse(f"a number of {len(text)} digits", "number")

    def real(text: str) -> object:
        if len(text) > MAX_DIGITS:
            return refuse(f"a number of {len(text)} digits", "number")
        value = float(text)
        return value if math.isfinite(value) else refuse(f"{text} is too large for a number", "number")

    def constant(text: str) -> object:
        return refuse(f"{text} is no JSON number", "number")

    return json.JSONDecoder(object_pairs_hook=pairs, parse_int=integer, parse_float=real, parse_constant=constant)


def _too_deep(body: bytes) -> bool:
    """Say whether brackets nest deeper than allowed: each round takes the innermost level away, at the speed of C."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    return _nests_too_deep(_STRING.sub(b"", body) if b"\\" in body else b"".join(body.split(b'"')[::2]))


def _nests_too_deep(bare: bytes) -> bool:
    """The same of a text without its strings."""
    rest = bare.translate(_TO_BRACES, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        shorter = rest.replace(b"{}", b"")
        if len(shorter) == len(rest):
            # Nothing left, or brackets that do not match, which the parser will say better.
            return False
        rest = shorter
    return b"{}" in rest


def _places(value: object) -> Iterator[tuple[str, _Refused]]:
    """Yield the pointers of everything that was refused, in document order."""
    waiting: list[tuple[str, object]] = [("", value)]
    while waiting:
        pointer, item = waiting.pop()
        if isinstance(item, _Refused):
            yield pointer, item
        elif isinstance(item, dict):
            waiting.extend((f"{pointer}/{escape(key)}", each) for key, each in reversed(item.items()))
        elif isinstance(item, list):
            waiting.extend((f"{pointer}/{at}", item[at]) for at in reversed(range(len(item))))


def _check_surrogates(value: object) -> None:
    """Refuse half a UTF-16 pair: it cannot be written to any file or sent to any Envoy."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise BrokenJson("the body has half of a UTF-16 surrogate pair", code="surrogate") from None
