"""Envoy's messages as bytes: the codec, type URLs, fragments and discovery responses.

Exports are lazy, so that `xds.wire.types` and `xds.wire.fragments` cost nothing but themselves.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .codec import decode, encode
    from .errors import DecodeError
    from .packing import pack_any
    from .plain import to_plain
    from .types import SEND_ORDER, ResourceType, UnknownTypeUrl

_HOME = {
    "SEND_ORDER": "types",
    "DecodeError": "errors",
    "ResourceType": "types",
    "UnknownTypeUrl": "types",
    "decode": "codec",
    "encode": "codec",
    "pack_any": "packing",
    "to_plain": "plain",
}

__all__ = [
    "SEND_ORDER",
    "DecodeError",
    "ResourceType",
    "UnknownTypeUrl",
    "decode",
    "encode",
    "pack_any",
    "to_plain",
]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
