"""What a filter may ask of a request by path: encoded values, and those that follow from the headers.

Source: Envoy's attributes and the ABI specification. A path is its parts joined by zero bytes. Numbers, times and
durations are 8 bytes, little endian (times and durations in nanoseconds), booleans one byte, text is itself, maps are
pairs. What a caller sets stands before what is derived here; what neither knows is absent, as it is in Envoy before its
time (a response has no code before the request is logged).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias
from urllib.parse import urlsplit

from xds.proxywasm.pairs import Pairs, encode

Value: TypeAlias = "bytes | str | bool | int | Mapping[str, str]"

_FROM_HEADER = {
    b"path": b":path",
    b"host": b":authority",
    b"scheme": b":scheme",
    b"method": b":method",
    b"referer": b"referer",
    b"useragent": b"user-agent",
    b"id": b"x-request-id",
}


def path(dotted: str) -> bytes:
    """`request.headers.x-user` as a path; a part that has a dot itself cannot be written so."""
    return dotted.replace(".", "\0").encode()


def encoded(value: Value) -> bytes:
    """The value as the ABI has it; bytes are taken to be encoded already."""
    match value:
        case bytes():
            return value
        case str():
            return value.encode()
        case bool():
            return b"\1" if value else b"\0"
        case int():
            return (value & 0xFFFF_FFFF_FFFF_FFFF).to_bytes(8, "little")
        case _:
            return encode([(name.encode(), text.encode()) for name, text in value.items()])


def encoded_all(values: Mapping[str, Value] | Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Many at once. A path may be written with dots, or be bytes that stay as they are."""
    return {
        name if isinstance(name, bytes) else path(name): encoded(value)
        for name, value in values.items()
    }  # fmt: skip


def value_of(headers: Pairs, name: bytes) -> bytes | None:
    """The first value of a header."""
    return next((value for this, value in headers if this == name), None)


def of_request(part: bytes, headers: Pairs) -> bytes | None:
    """`request.<part>` as far as headers tell it."""
    if part.startswith(b"headers\0"):
        return value_of(headers, part[8:].lower())
    if part == b"headers":
        return encode(headers)
    if part in _FROM_HEADER:
        return value_of(headers, _FROM_HEADER[part])
    target = value_of(headers, b":path")
    if target is None or part not in {b"url_path", b"query"}:
        return None
    url = urlsplit(target)
    return url.path if part == b"url_path" else url.query


def of_response(part: bytes, headers: Pairs, trailers: Pairs, *, logging: bool) -> bytes | None:
    """`response.<part>` as far as headers and trailers tell it; its codes only while the request is logged."""
    if part.startswith(b"headers\0"):
        return value_of(headers, part[8:].lower())
    if part.startswith(b"trailers\0"):
        return value_of(trailers, part[9:].lower())
    if not logging:
        return None
    name = {b"code": b":status", b"grpc_status": b"grpc-status"}.get(part)
    if name is None:
        return None
    text = value_of(headers, name)
    if text is None:
        text = value_of(trailers, name)
    return encoded(int(text)) if text is not None and text.isdigit() else None
