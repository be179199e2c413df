"""A client as it introduces itself: what we want of an envoy.config.core.v3.Node, read field by field.

The message classes for it take half a second to load, which every start would wait for. Knows the fields and the limits
of metadata; what the words mean, others say. Field numbers: envoy/config/core/v3/base.proto, envoy/type/v3/
semantic_version.proto, google/protobuf/struct.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from .errors import DecodeError
from .fragments import FIXED64, VARINT
from .scan import double, key, number, text, walk

DEEPEST: Final = 32
"""Levels of nesting that metadata may have; nothing of ours has more than three."""

_ID, _CLUSTER, _METADATA, _AGENT, _VERSION, _BUILD, _FEATURE = map(key, (1, 2, 3, 6, 7, 8, 10))
_FIRST, _SECOND = key(1), key(2)
_NUMBER, _STRING, _BOOL, _STRUCT, _LIST = key(2, FIXED64), key(3), key(4, VARINT), key(5), key(6)
_PARTS: Final = (key(1, VARINT), key(2, VARINT), key(3, VARINT))


class Introduction(NamedTuple):
    """Who a client says it is. `metadata` as JSON values; `agent` is what it calls itself, such as `envoy 1.40.0`."""

    id: str = ""
    cluster: str = ""
    metadata: Mapping[str, object] = {}
    agent: str = ""
    features: frozenset[str] = frozenset()


def introduction(data: bytes, start: int = 0, end: int | None = None) -> Introduction:
    """Return the node in `data[start:end]`; DecodeError if it is none, or its metadata is nested beyond reason."""
    id_ = cluster = name = version = ""
    metadata: dict[str, object] = {}
    features = []
    for found, begin, stop in walk(data, start, end):
        if found == _ID:
            id_ = text(data, begin, stop)
        elif found == _CLUSTER:
            cluster = text(data, begin, stop)
        elif found == _METADATA:
            metadata |= _struct(data, begin, stop, 0)
        elif found == _AGENT:
            name = text(data, begin, stop)
        elif found == _VERSION:
            version = text(data, begin, stop)
        elif found == _BUILD:
            version = _build(data, begin, stop)
        elif found == _FEATURE:
            features.append(text(data, begin, stop))
    return Introduction(id_, cluster, metadata, f"{name} {version}".strip(), frozenset(features))


def _build(data: bytes, start: int, end: int) -> str:
    """Return the number of a BuildVersion as `major.minor.patch`, "" if it has none."""
    for found, begin, stop in walk(data, start, end):
        if found == _FIRST:
            said = {part: number(data, at) for part, at, _ in walk(data, begin, stop) if part in _PARTS}
            return ".".join(str(said.get(part, 0)) for part in _PARTS)
    return ""


def _struct(data: bytes, start: int, end: int, depth: int) -> dict[str, object]:
    if depth >= DEEPEST:
        raise DecodeError(f"node metadata is nested deeper than {DEEPEST} levels", start)
    fields: dict[str, object] = {}
    for found, begin, stop in walk(data, start, end):
        if found == _FIRST:
            name, value = "", None
            for part, at, to in walk(data, begin, stop):
                if part == _FIRST:
                    name = text(data, at, to)
                elif part == _SECOND:
                    value = _value(data, at, to, depth + 1)
            fields[name] = value
    return fields


def _value(data: bytes, start: int, end: int, depth: int) -> object:
    value: object = None
    for found, begin, stop in walk(data, start, end):
        if found == _STRING:
            value = text(data, begin, stop)
        elif found == _NUMBER:
            value = double(data, begin)
        elif found == _BOOL:
            value = bool(number(data, begin))
        elif found == _STRUCT:
            value = _struct(data, begin, stop, depth)
        elif found == _LIST:
            value = _list(data, begin, stop, depth)
        else:
            value = None
    return value


def _list(data: bytes, start: int, end: int, depth: int) -> list[object]:
    if depth >= DEEPEST:
        raise DecodeError(f"node metadata is nested deeper than {DEEPEST} levels", start)
    return [_value(data, begin, stop, depth + 1) for found, begin, stop in walk(data, start, end) if found == _FIRST]
