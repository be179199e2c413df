"""Foreign functions that every guest finds, as in Envoy: `compress` and `uncompress` (zlib).

Envoy's others touch its own insides (filter state, CEL, keys); who wants them gives them to the host by name.
`clear_route_cache` acts on a context and is in `context_calls`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Final

MOST_BYTES: Final = 8 << 20
"""What `uncompress` gives at most: a few bytes can stand for gigabytes."""


def compress(data: bytes) -> bytes:
    """The data in zlib's form."""
    return zlib.compress(data)


def uncompress(data: bytes) -> bytes | None:
    """What zlib's form stands for; None where it is broken, cut, or too much."""
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(data, MOST_BYTES)
    except zlib.error:
        return None
    return content if stream.eof else None


BUILT_IN: Final[Mapping[str, Callable[[bytes], bytes | None]]] = {"compress": compress, "uncompress": uncompress}
