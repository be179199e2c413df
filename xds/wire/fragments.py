"""The protobuf wire format, just enough to write it: tags, varints, length-delimited fields, joins.

Repeated fields concatenate on the wire, so a message is the join of fragments encoded earlier, each at most once.
Knows no message class and no field name; imports the standard library only.
Source of the format: protobuf.dev, "Encoding".
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
"""Wire types. 3 and 4 are the groups of proto2, which no message of xDS uses."""


@functools.lru_cache(maxsize=1 << 14)  # lengths of whole resources, which come again
def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


SHORT = 1 << 11
VARINTS = tuple(_varint.__wrapped__(value) for value in range(SHORT))
"""The varints of 0 to `SHORT` - 1, made once: nearly every length, tag and number in a message is among them."""


def varint(value: int) -> bytes:
    """Return `value` (-2**63 to 2**64 - 1) as a base-128 varint; negatives take ten bytes, as protobuf has it."""
    if 0 <= value < SHORT:
        return VARINTS[value]
    return _varint(value if value >= 0 else value + (1 << 64))


def tag(number: int, wire_type: int = LENGTH) -> bytes:
    """Return the key that precedes a value of field `number` on the wire."""
    return varint(number << 3 | wire_type)


def field(number: int, payload: bytes) -> bytes:
    """Return `payload` as a length-delimited field (string, bytes, message or map entry)."""
    key, size = number << 3 | LENGTH, len(payload)
    if key < SHORT and size < SHORT:
        return VARINTS[key] + VARINTS[size] + payload
    return varint(key) + varint(size) + payload


@functools.lru_cache(maxsize=8192)  # names of clusters, places and types: few, and in every message
def text(number: int, value: str) -> bytes:
    """Return a string field, or nothing for the empty string, which proto3 leaves out."""
    return field(number, value.encode()) if value else b""


def join_repeated(field_number: int, fragments: Iterable[bytes]) -> bytes:
    """Return the entries of a repeated message field: each fragment is the encoded body of one entry."""
    key = tag(field_number)
    parts: list[bytes] = []
    for fragment in fragments:
        parts += (key, varint(len(fragment)), fragment)
    return b"".join(parts)


def any_bytes(type_url: str, value: bytes) -> bytes:
    """Return an encoded google.protobuf.Any holding `value`, the encoded message that `type_url` names."""
    return text(1, type_url) + (field(2, value) if value else b"")
