"""Rewrites an encoded message so that betterproto2, which departs from protobuf in two places, reads it rightly.

Sub-messages that occur twice are merged (on the wire: concatenated), only the last member of a oneof is kept, and a map
entry gets the value it lacks. Written with betterproto2's own field splitter, independently of our decoder.
"""

from __future__ import annotations

from typing import Any

import betterproto2

from tests.property.messages import metadata_of


def canonical(cls: type[betterproto2.Message], data: bytes) -> bytes:
    """Return bytes that mean the same as `data` and hold each singular sub-message and oneof once."""
    about = metadata_of(cls)
    kept: list[tuple[str | None, Any]] = []  # (field name or None, payload of a message or raw bytes)
    for parsed in betterproto2.parse_fields(data):
        name = about.field_name_by_number.get(parsed.number)
        if name is None:
            kept.append((None, parsed.raw))
            continue
        meta = about.meta_by_field_name[name]
        if meta.group:
            rivals = {field.name for field in about.oneof_field_by_group[meta.group]} - {name}
            kept = [entry for entry in kept if entry[0] not in rivals]
        if meta.proto_type not in ("message", "map"):
            kept.append((name, parsed.raw))
            continue
        before = [index for index, entry in enumerate(kept) if entry[0] == name]
        if before and not meta.repeated and meta.proto_type == "message":
            kept[before[0]] = (name, kept[before[0]][1] + parsed.value)
        else:
            kept.append((name, parsed.value))
    return b"".join(_written(cls, name, content) for name, content in kept)


def _written(cls: type[betterproto2.Message], name: str | None, content: bytes) -> bytes:
    if name is None:
        return content
    meta = metadata_of(cls).meta_by_field_name[name]
    if meta.proto_type not in ("message", "map"):
        return content
    child = meta.unwrap() if meta.unwrap else metadata_of(cls).cls_by_field[name]
    body = canonical(child, content)
    valued = any(field.number == 2 for field in betterproto2.parse_fields(body))
    if meta.map_meta and meta.map_meta[1].proto_type == "message" and not valued:
        body += b"\x12\x00"
    return betterproto2._serialize_single(meta.number, "bytes", body)
