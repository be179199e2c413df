"""Compiles one encoder per message class: straight-line Python made from betterproto2's field metadata.

The code of a class is one `if` per field in declaration order (the order in which betterproto2 writes), with every
tag a constant. It holds no value from outside: names and numbers come from the generated message classes.
"""

from __future__ import annotations

import dataclasses
import datetime
import struct
import typing
from collections.abc import Callable
from typing import Any

import betterproto2
from betterproto2 import FieldMetadata

from .fragments import FIXED32, FIXED64, LENGTH, SHORT, VARINT, VARINTS, tag, varint

Encoder = Callable[[betterproto2.Message], bytes]

# A value that betterproto2 maps to a plain Python type: int, str, datetime, ...; only its class knows which.
Wrapper = Callable[[Any], bytes]

FIXED = {
    "double": (FIXED64, struct.Struct("<d")),
    "fixed64": (FIXED64, struct.Struct("<Q")),
    "sfixed64": (FIXED64, struct.Struct("<q")),
    "float": (FIXED32, struct.Struct("<f")),
    "fixed32": (FIXED32, struct.Struct("<I")),
    "sfixed32": (FIXED32, struct.Struct("<i")),
}
DELIMITED = ("string", "bytes", "message", "map")

_MICROSECOND = datetime.timedelta(microseconds=1)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)  # noqa: UP017 - see _timestamp


def sized(payload: bytes) -> bytes:
    """Return `payload` behind its length."""
    return varint(len(payload)) + payload


def zigzag(value: int) -> bytes:
    """Return a sint32 or sint64."""
    return varint(value << 1 if value >= 0 else ~(value << 1))


def _instant(microseconds: int) -> bytes:
    """Return the body of a Duration or Timestamp: seconds (1), nanos (2)."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return (b"\x08" + varint(seconds) if seconds else b"") + (b"\x10" + varint(rest * 1000) if rest else b"")


def _timestamp(value: datetime.datetime) -> bytes:
    if value.tzinfo is None:
        raise ValueError("datetime must be timezone aware")
    return _instant((value - _EPOCH) // _MICROSECOND)


def _duration(value: datetime.timedelta) -> bytes:
    microseconds = value // _MICROSECOND
    if microseconds >= 0:
        return _instant(microseconds)
    # Seconds and nanos of a Duration have the same sign, unlike those of a Timestamp (duration.proto).
    seconds, rest = divmod(-microseconds, 1_000_000)
    return (b"\x08" + varint(-seconds) if seconds else b"") + (b"\x10" + varint(-rest * 1000) if rest else b"")


def _value_wrapper(meta: FieldMetadata) -> Wrapper:
    """Return the encoder of a google.protobuf.*Value, whose only field is `meta`."""
    namespace: dict[str, Any] = dict(_NAMESPACE)
    wire, payload = _payload(meta.proto_type, None, "v", namespace)
    key = tag(meta.number, wire)
    body = f"Z({payload})" if wire == LENGTH else f"({payload})"
    exec(f"def wrap(v):\n    return {key!r} + {body} if v else b''", namespace)  # noqa: S102 - see the module
    return typing.cast(Wrapper, namespace["wrap"])


class _Wrappers(dict[type, Wrapper]):
    """Encoders of the messages that betterproto2 maps to plain Python types."""

    def __missing__(self, cls: type) -> Wrapper:
        fields = dataclasses.fields(cls)
        self[cls] = wrapper = _value_wrapper(FieldMetadata.get(fields[0]))
        return wrapper


def _payload(
    proto_type: str, unwrap: Callable[[], type] | None, name: str, namespace: dict[str, Any]
) -> tuple[int, str]:
    """Return the wire type of a value and the expression that encodes variable `name`, without tag and length."""
    if unwrap is not None:
        wrapped = unwrap()
        function = f"W_{wrapped.__name__}"
        namespace[function] = _wrapper(wrapped)
        return LENGTH, f"{function}({name})"
    if proto_type in FIXED:
        wire, packer = FIXED[proto_type]
        namespace[f"P_{proto_type}"] = packer.pack
        return wire, f"P_{proto_type}({name})"
    if proto_type in DELIMITED:
        return LENGTH, {"string": f"{name}.encode()", "bytes": name, "message": f"E[type({name})]({name})"}[proto_type]
    if proto_type in ("sint32", "sint64"):
        return VARINT, f"G({name})"
    return VARINT, f"S[{name}] if 0 <= {name} < {SHORT} else V({name})"


def _wrapper(cls: type) -> Wrapper:
    if cls.__name__ == "Duration":
        return _duration
    return _timestamp if cls.__name__ == "Timestamp" else _WRAPPERS[cls]


def _write(number: int, wire: int, payload: str, indent: str) -> list[str]:
    """Return the statements that append one tagged value to `parts`."""
    key = tag(number, wire)
    if wire != LENGTH:
        return [f"{indent}parts += ({key!r}, {payload})"]
    return [
        f"{indent}b = {payload}",
        f"{indent}n = len(b)",
        f"{indent}parts += ({key!r}, S[n] if n < {SHORT} else V(n), b)",
    ]


def _map_entry(meta: FieldMetadata, namespace: dict[str, Any]) -> str:
    """Return the expression for a map entry of variables `k` and `x`; both are written even when they are defaults."""
    assert meta.map_meta is not None  # noqa: S101 - the caller asked for a map
    terms = []
    for part, name in zip(meta.map_meta, "kx", strict=True):
        wire, payload = _payload(part.proto_type, part.unwrap, name, namespace)
        terms.append(f"{tag(part.number, wire)!r} + " + (f"Z({payload})" if wire == LENGTH else f"({payload})"))
    return " + ".join(terms)


def _field(name: str, meta: FieldMetadata, namespace: dict[str, Any]) -> list[str]:
    """Return the statements that write one field."""
    lines = [f"    v = d[{name!r}]"]
    if meta.map_meta is not None:
        write = _write(meta.number, LENGTH, _map_entry(meta, namespace), "            ")
        return [*lines, "    if v:", "        for k, x in v.items():", *write]
    if not meta.repeated:
        wire, payload = _payload(meta.proto_type, meta.unwrap, "v", namespace)
        present = meta.optional or meta.group or meta.proto_type == "message"
        test = "    if v is not None:" if present else "    if v:"
        return [*lines, test, *_write(meta.number, wire, payload, "        ")]
    wire, payload = _payload(meta.proto_type, meta.unwrap, "x", namespace)
    if wire == LENGTH:
        return [*lines, "    if v:", "        for x in v:", *_write(meta.number, wire, payload, "            ")]
    packed = f"b''.join([{payload} for x in v])"
    return [*lines, "    if v:", *_write(meta.number, LENGTH, packed, "        ")]


def _compile(cls: type) -> Encoder:
    if not (dataclasses.is_dataclass(cls) and issubclass(cls, betterproto2.Message)):
        raise TypeError(f"{cls.__name__} is not a message class")
    namespace: dict[str, Any] = dict(_NAMESPACE)
    lines = ["def encode(m):", "    d = m.__dict__", "    parts = []"]
    for entry in dataclasses.fields(cls):
        lines += _field(entry.name, FieldMetadata.get(entry), namespace)
    lines += ["    v = d['_unknown_fields']", "    if v:", "        parts.append(v)", "    return b''.join(parts)"]
    source = compile("\n".join(lines), f"<encoder of {cls.__module__}.{cls.__name__}>", "exec")
    exec(source, namespace)  # noqa: S102 - made from class metadata only, see the module
    return typing.cast(Encoder, namespace["encode"])


class _Encoders(dict[type, Encoder]):
    """Encoders by message class, each compiled when first asked for."""

    def __missing__(self, cls: type) -> Encoder:
        self[cls] = encoder = _compile(cls)
        return encoder


ENCODERS = _Encoders()
_WRAPPERS = _Wrappers()
_NAMESPACE = {"E": ENCODERS, "G": zigzag, "S": VARINTS, "V": varint, "Z": sized}
