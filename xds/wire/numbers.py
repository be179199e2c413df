"""Reads the numbers of the wire format: varints and how each scalar type understands one."""

from __future__ import annotations

from collections.abc import Callable

from .errors import DecodeError

MAX_VARINT = (1 << 64) - 1


def long_varint(data: bytes, pos: int) -> tuple[int, int]:
    """Return the varint at `pos` and the position behind it.

    Raises `DecodeError` for one that is longer than ten bytes or does not fit 64 bits, and IndexError where `data`
    ends inside it.
    """
    value = shift = 0
    start = pos
    while shift < 70:  # ten bytes of seven bits
        byte = data[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    else:
        raise DecodeError("varint longer than ten bytes", start)
    if value > MAX_VARINT:
        raise DecodeError("varint does not fit 64 bits", start)
    return value, pos


def _int32(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def _int64(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _uint32(value: int) -> int:
    return value & 0xFFFFFFFF


def _sint32(value: int) -> int:
    value &= 0xFFFFFFFF
    return (value >> 1) ^ -(value & 1)


def _sint64(value: int) -> int:
    return (value >> 1) ^ -(value & 1)


_READERS: dict[str, Callable[[int], int]] = {
    "bool": bool,
    "int32": _int32,
    "int64": _int64,
    "uint32": _uint32,
    "uint64": int,
    "sint32": _sint32,
    "sint64": _sint64,
}


def number_reader(proto_type: str, enum: type | None) -> Callable[[int], int]:
    """Return what turns a varint (0 to 2**64 - 1) into a value of `proto_type`; `enum` is the class of an enum field.

    An enum keeps a number that its class does not know, as betterproto2 does.
    """
    if proto_type != "enum":
        return _READERS[proto_type]
    make: Callable[[int], int] | None = enum
    assert make is not None  # noqa: S101 - the metadata of an enum field names its class
    known = {int(member): member for member in enum} if isinstance(enum, type) else {}  # type: ignore[attr-defined]  # enum classes iterate, `type` does not say so

    def read_enum(value: int) -> int:
        member = known.get(value)
        return make(_int64(value)) if member is None else member

    return read_enum
