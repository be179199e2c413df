"""Facts inside Envoy's metadata: plain JSON values as `filter_metadata.fairlead`, encoded by hand.

A google.protobuf.Struct built from message classes costs more than the rest of a route; these are written for every
route at every step. Field numbers are those of google.protobuf.Struct and envoy.config.core.v3.Metadata; a test holds
the bytes to betterproto's reading of them.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping

from pydantic import JsonValue

from xds.wire.filter_schema import METADATA_NAMESPACE
from xds.wire.fragments import field

_NAMESPACE = field(1, METADATA_NAMESPACE.encode())


def metadata(facts: Mapping[str, JsonValue]) -> bytes:
    """Return an encoded core.v3.Metadata with `facts` under `fairlead`; the order of keys is kept."""
    return field(1, _NAMESPACE + field(2, _struct(facts)))


def told_by(name: str, facts: bytes) -> str:
    """Return `name` with a hash of an encoded Metadata behind it, sixteen digits of base 16.

    A filter that has seen it knows the facts by the name, and need not have Envoy serialise them for each request.
    """
    return f"{name}#{hashlib.blake2b(facts, digest_size=8).hexdigest()}"


def _struct(values: Mapping[str, JsonValue]) -> bytes:
    return b"".join(field(1, field(1, key.encode()) + field(2, _value(value))) for key, value in values.items())


def _value(value: JsonValue) -> bytes:
    """Return a google.protobuf.Value: null 1, number 2, string 3, bool 4, struct 5, list 6."""
    match value:
        case None:
            return b"\x08\x00"
        case bool():
            return b"\x20\x01" if value else b"\x20\x00"
        case int() | float():
            return b"\x11" + struct.pack("<d", value)
        case str():
            return field(3, value.encode())
        case dict():
            return field(5, _struct(value))
        case list():
            return field(6, b"".join(field(1, _value(item)) for item in value))
