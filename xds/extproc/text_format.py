"""Route metadata as Envoy writes it into an attribute: protobuf's text format, one line, back into plain values.

An attribute that is a message arrives as its debug text (envoy.config.core.v3.Metadata here), not as a message. The
grammar is protobuf's (protobuf.dev, "Text Format Language"); fields that Metadata and Struct do not have are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

from pydantic import JsonValue

DEEPEST: Final = 64

_TOKEN: Final = re.compile(
    r"""\s*(?:goo\.gle/\S+\s+)*(?P<token>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|\[[^\]]*\]|[{}<>:;,]|[^\s{}<>:;,"'\[\]]+)"""
)
_ESCAPE: Final = re.compile(rb"\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|(.))", re.DOTALL)
_PLAIN: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
_CLOSING: Final = {"{": "}", "<": ">"}

Parsed: TypeAlias = "list[tuple[str, str | Parsed]]"
"""A message: its fields in order, each a scalar as it was written or a message."""


class BadText(ValueError):
    """The text is no text format; the message says where."""


def filter_metadata(text: str) -> Mapping[str, JsonValue]:
    """Return the namespaces of a Metadata in text format, each as plain values. Raises BadText."""
    return {_key(entry): _struct(_message(entry, "value")) for entry in _all(_parse(text), "filter_metadata")}


def _parse(text: str) -> Parsed:
    """Return the fields of the message that `text` is."""
    stack: list[tuple[Parsed, str]] = [([], "")]
    pending, at, end = "", 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise BadText(f"no text format at {at}: {text[at : at + 20]!r}")
        token, at = found["token"], found.end()
        fields, closing = stack[-1]
        if token in _CLOSING and pending:
            inner: Parsed = []
            fields.append((pending, inner))
            stack.append((inner, _CLOSING[token]))
            pending = ""
            if len(stack) > DEEPEST:
                raise BadText(f"more than {DEEPEST} levels")
        elif token == closing and not pending:
            stack.pop()
        elif token in {":", ",", ";"}:
            continue
        elif pending:
            fields.append((pending, token))
            pending = ""
        elif token[0] in "\"'" and fields and isinstance(fields[-1][1], str):
            fields[-1] = (fields[-1][0], _joined(fields[-1][1], token))
        elif token[0] in "{}<>\"'":
            raise BadText(f"a field's name was expected before {at}, not {token[:20]!r}")
        else:
            pending = token
    if pending or len(stack) > 1:
        raise BadText("the text is cut")
    return stack[0][0]


def _joined(first: str, second: str) -> str:
    """Two string literals in a row are one."""
    return first[:-1] + second[1:-1] + first[-1]


def _all(message: Parsed, name: str) -> list[Parsed]:
    return [value for this, value in message if this == name and not isinstance(value, str)]


def _message(message: Parsed, name: str) -> Parsed:
    """The last field of that name; an absent message is an empty one."""
    return next(iter(reversed(_all(message, name))), [])


def _key(entry: Parsed) -> str:
    text = next((value for name, value in reversed(entry) if name == "key" and isinstance(value, str)), '""')
    return _unquoted(text)


def _struct(message: Parsed) -> dict[str, JsonValue]:
    return {_key(entry): _value(_message(entry, "value")) for entry in _all(message, "fields")}


def _value(message: Parsed) -> JsonValue:
    """A google.protobuf.Value; one without a kind is null."""
    if not message:
        return None
    match message[-1]:
        case "struct_value", list() as inner:
            return _struct(inner)
        case "list_value", list() as inner:
            return [_value(item) for item in _all(inner, "values")]
        case "string_value", str() as text:
            return _unquoted(text)
        case "bool_value", str() as text:
            return text == "true"
        case "number_value", str() as text:
            return _number(text)
    return None


def _number(text: str) -> int | float:
    """A double; a whole one as an int."""
    try:
        value = float(text)
    except ValueError:
        raise BadText(f"{text[:20]!r} is no number") from None
    return int(value) if value.is_integer() else value


def _unquoted(text: str) -> str:
    if text[0] not in "\"'":
        raise BadText(f"{text[:20]!r} is no string")
    return _ESCAPE.sub(_unescaped, text[1:-1].encode()).decode("utf-8", "replace")


def _unescaped(found: re.Match[bytes]) -> bytes:
    octal, hexadecimal, other = found.groups()
    if octal is not None:
        return bytes([int(octal, 8) & 0xFF])
    if hexadecimal is not None:
        return bytes([int(hexadecimal, 16)])
    return _PLAIN.get(other, other)
