"""How a map of headers travels between host and guest: a list of pairs in one run of bytes.

`u32 count | count x (u32 key length, u32 value length) | count x (key 00 value 00)`, little endian, exactly as long as
that. Limits are those of the host in Envoy (1 MiB, 1,024 pairs); what breaks them or the form is refused here, where
Envoy silently takes it for an empty list.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final, TypeAlias

MOST_BYTES: Final = 1 << 20
MOST_PAIRS: Final = 1024

Pairs: TypeAlias = "list[tuple[bytes, bytes]]"


class BadPairs(ValueError):
    """The bytes are no list of pairs, or a list is beyond the limits."""


def encode(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The pairs as bytes; no pairs are no bytes. Raises BadPairs beyond the limits."""
    listed = list(pairs)
    if not listed:
        return b""
    if len(listed) > MOST_PAIRS:
        raise BadPairs(f"{len(listed)} pairs, the most is {MOST_PAIRS}")
    sizes = b"".join(struct.pack("<II", len(key), len(value)) for key, value in listed)
    body = b"".join(key + b"\0" + value + b"\0" for key, value in listed)
    encoded = struct.pack("<I", len(listed)) + sizes + body
    if len(encoded) > MOST_BYTES:
        raise BadPairs(f"{len(encoded)} bytes of pairs, the most is {MOST_BYTES}")
    return encoded


def decode(data: bytes) -> Pairs:
    """The pairs in `data`; no bytes, or a count of zero, are no pairs. Raises BadPairs."""
    if not data:
        return []
    if len(data) > MOST_BYTES:
        raise BadPairs(f"{len(data)} bytes of pairs, the most is {MOST_BYTES}")
    if len(data) < 4:
        raise BadPairs("the count is cut")
    (count,) = struct.unpack_from("<I", data)
    if count > MOST_PAIRS:
        raise BadPairs(f"{count} pairs, the most is {MOST_PAIRS}")
    at = 4 + 8 * count
    if len(data) < at:
        raise BadPairs("the lengths are cut")
    pairs = []
    for key_size, value_size in struct.iter_unpack("<II", data[4:at]):
        middle, end = at + key_size, at + key_size + 1 + value_size
        if end >= len(data) or data[middle] or data[end]:
            raise BadPairs("a pair is cut or does not end with a zero byte")
        pairs.append((data[at:middle], data[middle + 1 : end]))
        at = end + 1
    if at != len(data):
        raise BadPairs("bytes follow the last pair")
    return pairs
