"""Messages as plain dicts: what goldens, `fairlead get` and people read, and Envoy reads back.

Follows protobuf's JSON mapping (protobuf.dev, "ProtoJSON") with the field names of the .proto files, which Envoy
accepts in JSON and YAML. Unlike betterproto2's `to_dict` it keeps those names letter for letter, decodes an Any by the
pool of message classes, and leaves out nothing that has presence. Unknown fields are not shown: they have no name.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import math
from collections.abc import Callable
from typing import Any

import betterproto2
from betterproto2 import FieldMetadata
from envoy_data_plane.google.protobuf import Any as AnyMessage
from envoy_data_plane.google.protobuf import BytesValue, Duration, ListValue, Struct, Timestamp, Value
from envoy_data_plane.message_pool import default_message_pool

from .codec import decode

_INT64 = ("int64", "uint64", "sint64", "fixed64", "sfixed64")
_INT64_WRAPPERS = ("Int64Value", "UInt64Value")
_MICROSECOND = datetime.timedelta(microseconds=1)


def to_plain(message: betterproto2.Message) -> dict[str, object]:
    """Return `message` as dicts, lists, strings, numbers, booleans and None, ready for YAML or JSON.

    An Any becomes its content with an `@type`; if no class is known for the type, its bytes lie in base64 under
    `value`, which people can read and Envoy cannot. Raises `DecodeError` for an Any whose bytes do not decode.
    """
    if isinstance(message, AnyMessage):
        return _any(message)
    if isinstance(message, Struct):
        return {key: _value(value) for key, value in message.fields.items()}
    plain: dict[str, object] = {}
    for entry in dataclasses.fields(message):  # type: ignore[arg-type]  # every message is a dataclass; its base is not
        meta = FieldMetadata.get(entry)
        value = getattr(message, entry.name)
        if meta.optional or meta.group or (meta.proto_type == "message" and not meta.repeated):
            if value is None:
                continue
        elif not value:
            continue
        plain[entry.name.rstrip("_")] = _field(value, meta)
    return plain


def _field(value: Any, meta: FieldMetadata) -> object:  # noqa: ANN401 - whatever the field holds
    if meta.repeated:
        return [_single(item, meta) for item in value]
    if meta.map_meta is not None:
        # JSON keys are strings; a map of booleans has "true" and "false".
        return {
            str(key).lower() if isinstance(key, bool) else str(key): _single(item, meta.map_meta[1])
            for key, item in value.items()
        }
    return _single(value, meta)


def _single(value: Any, meta: FieldMetadata) -> object:  # noqa: ANN401 - whatever the field holds
    """Return one value; a wrapped one has the JSON form of what it wraps."""
    if isinstance(value, betterproto2.Message):
        return _WELL_KNOWN.get(type(value), to_plain)(value)
    if isinstance(value, betterproto2.Enum):
        return value.proto_name or value.name or value.value
    if meta.proto_type in _INT64 or (meta.unwrap is not None and meta.unwrap().__name__ in _INT64_WRAPPERS):
        return str(value)
    shown = _SCALARS.get(type(value))
    return shown(value) if shown else value


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _number(value: float) -> object:
    if math.isfinite(value):
        return int(value) if value == int(value) and abs(value) < 1 << 53 else value  # 5.0 reads as 5
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _duration(value: datetime.timedelta) -> str:
    microseconds = value // _MICROSECOND
    sign = "-" if microseconds < 0 else ""
    seconds, rest = divmod(abs(microseconds), 1_000_000)
    return f"{sign}{seconds}{_fraction(rest)}s"


def _timestamp(value: datetime.datetime) -> str:
    utc = value.astimezone(datetime.UTC)
    return f"{utc.replace(microsecond=0, tzinfo=None).isoformat()}{_fraction(utc.microsecond)}Z"


def _fraction(microseconds: int) -> str:
    """Return three or six digits behind a point, or nothing for none, as the JSON mapping has it."""
    if microseconds % 1000:
        return f".{microseconds:06d}"
    return f".{microseconds // 1000:03d}" if microseconds else ""


def _value(value: betterproto2.Message) -> object:
    """Return what a google.protobuf.Value or ListValue stands for."""
    if isinstance(value, ListValue):
        return [_value(item) for item in value.values]
    assert isinstance(value, Value)  # noqa: S101 - Struct and ListValue hold nothing else
    if value.struct_value is not None:
        return to_plain(value.struct_value)
    if value.list_value is not None:
        return _value(value.list_value)
    if value.number_value is not None:
        return _number(value.number_value)
    return value.string_value if value.string_value is not None else value.bool_value


def _any(message: AnyMessage) -> dict[str, object]:
    plain: dict[str, object] = {"@type": message.type_url} if message.type_url else {}
    cls = default_message_pool.url_to_type.get(message.type_url)
    if cls is None:
        return {**plain, "value": _base64(message.value)} if message.value else plain
    content = decode(cls, message.value)
    shown = _WELL_KNOWN.get(cls)
    if shown is not None:
        return {**plain, "value": shown(content)}
    if cls.__module__ == BytesValue.__module__ and cls.__name__.endswith("Value"):
        field = dataclasses.fields(content)[0]  # type: ignore[arg-type]  # as above
        return {**plain, "value": _single(getattr(content, field.name), FieldMetadata.get(field))}
    return {**plain, **to_plain(content)}


# Values and messages whose JSON form is no object of their fields. An Any shows such a message under the key "value".
# The argument is whatever the key says.
_SCALARS: dict[type, Callable[[Any], object]] = {
    bytes: _base64,
    float: _number,
    datetime.timedelta: _duration,
    datetime.datetime: _timestamp,
}
_WELL_KNOWN: dict[type, Callable[[Any], object]] = {
    AnyMessage: _any,
    Duration: lambda message: _duration(message.to_timedelta()),
    ListValue: _value,
    Struct: to_plain,
    Timestamp: lambda message: _timestamp(message.to_datetime()),
    Value: _value,
}
