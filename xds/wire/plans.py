"""Makes the decoding plan of a message class from betterproto2's field metadata, once, at first use."""

from __future__ import annotations

import dataclasses
import struct
import sys
import typing
from collections.abc import Callable
from typing import Any

import betterproto2
from betterproto2 import FieldMetadata

from .decoder import CHILD, CHILDREN, ITEM, NUMBER, NUMBERS, TEXT, VALUE, Plan, Step, Values, read, read_into
from .errors import DecodeError
from .fragments import FIXED32, FIXED64, LENGTH, VARINT
from .numbers import long_varint, number_reader

FIXED = {
    "double": (FIXED64, "d"),
    "fixed64": (FIXED64, "Q"),
    "sfixed64": (FIXED64, "q"),
    "float": (FIXED32, "f"),
    "fixed32": (FIXED32, "I"),
    "sfixed32": (FIXED32, "i"),
}

# read(old, data, start, stop, depth): what a field held and holds next; any type that a field can have.
ValueReader = Callable[[Any, bytes, int, int, int], Any]


class _Plans(dict[type, Plan]):
    """Plans by message class."""

    def __missing__(self, cls: type) -> Plan:
        if not (dataclasses.is_dataclass(cls) and issubclass(cls, betterproto2.Message)):
            raise TypeError(f"{cls.__name__} is not a message class")
        self[cls] = plan = Plan(cls, _prepare)
        return plan


PLANS = _Plans()


def _prepare(plan: Plan) -> None:
    """Fill the plan of a message class."""
    cls = plan.cls
    assert cls is not None  # noqa: S101 - plans of map entries are complete when made
    hints = typing.get_type_hints(cls, vars(sys.modules[cls.__module__]))
    declared = dataclasses.fields(cls)  # type: ignore[arg-type]  # every message is a dataclass; its base is not
    fields = [(field, FieldMetadata.get(field)) for field in declared]
    plan.numbers.update(meta.number for _, meta in fields)
    template: Values = {"_unknown_fields": b""}
    fresh: list[tuple[str, Callable[[], object]]] = []
    for field, meta in fields:
        types = typing.get_args(hints[field.name]) or (hints[field.name],)
        others = tuple(
            other.name for other, its in fields if meta.group and its.group == meta.group and other is not field
        )
        for key, step in _steps(field.name, meta, types, others):
            plan.steps[key] = step
        if meta.repeated:
            fresh.append((field.name, list))
        elif meta.map_meta:
            fresh.append((field.name, dict))
        else:
            assert callable(field.default_factory)  # noqa: S101 - betterproto2 gives every field one
            template[field.name] = field.default_factory()
    plan.template = template
    plan.fresh = tuple(fresh)


def _steps(name: str, meta: FieldMetadata, types: tuple[type, ...], others: tuple[str, ...]) -> list[tuple[int, Step]]:
    """Return the steps of a field by wire key; a repeated number has two, packed and not (protobuf.dev, "Packed")."""
    kind, repeated, number = meta.proto_type, bool(meta.repeated), meta.number
    if meta.map_meta is not None:
        return [(number << 3 | LENGTH, Step(VALUE, name, _map_filler(meta.map_meta, types)))]
    if meta.unwrap is not None:
        reader = _wrapped_reader(meta.unwrap())
    elif kind == "message":
        return [(number << 3 | LENGTH, Step(CHILDREN if repeated else CHILD, name, PLANS[types[0]], others))]
    elif kind == "string" and not repeated:
        return [(number << 3 | LENGTH, Step(TEXT, name, None, others))]
    elif kind in ("string", "bytes"):
        reader = _text if kind == "string" else _bytes
    elif kind in FIXED:
        wire, letter = FIXED[kind]
        steps = [(number << 3 | wire, Step(ITEM if repeated else VALUE, name, _fixed_reader(letter), others))]
        return [*steps, (number << 3 | LENGTH, Step(VALUE, name, _packed_fixed(letter)))] if repeated else steps
    else:
        convert = number_reader(kind, types[0])
        steps = [(number << 3 | VARINT, Step(NUMBERS if repeated else NUMBER, name, convert, others))]
        return [*steps, (number << 3 | LENGTH, Step(VALUE, name, _packed(convert)))] if repeated else steps
    return [(number << 3 | LENGTH, Step(ITEM if repeated else VALUE, name, reader, others))]


def _text(_old: object, data: bytes, start: int, stop: int, _depth: int) -> str:
    return data[start:stop].decode()


def _bytes(_old: object, data: bytes, start: int, stop: int, _depth: int) -> bytes:
    return data[start:stop]


def _fixed_reader(letter: str) -> ValueReader:
    unpack = struct.Struct("<" + letter).unpack_from

    def read_fixed(_old: object, data: bytes, start: int, _stop: int, _depth: int) -> float:
        number: float = unpack(data, start)[0]
        return number

    return read_fixed


def _packed_fixed(letter: str) -> ValueReader:
    width = struct.calcsize("<" + letter)

    def fill(numbers: list[float], data: bytes, start: int, stop: int, _depth: int) -> list[float]:
        if (stop - start) % width:
            raise DecodeError("packed numbers end inside a number", stop)
        numbers += struct.unpack_from(f"<{(stop - start) // width}{letter}", data, start)
        return numbers

    return fill


def _packed(convert: Callable[[int], object]) -> ValueReader:
    def fill(numbers: list[object], data: bytes, start: int, stop: int, _depth: int) -> list[object]:
        pos = start
        while pos < stop:
            value, pos = long_varint(data, pos)
            numbers.append(convert(value))
        if pos != stop:
            raise DecodeError("packed numbers end inside a number", stop)
        return numbers

    return fill


def _wrapped_reader(cls: type[Any]) -> ValueReader:
    """Return the reader of a message that betterproto2 maps to a plain type: *Value, Duration, Timestamp."""
    plan = PLANS[cls]
    if cls.__name__.endswith("Value"):

        def read_value(old: object, data: bytes, start: int, stop: int, depth: int) -> object:
            values = plan.values()
            if old is not None:
                values["value"] = old
            read_into(plan, values, data, start, stop, depth + 1)
            return values["value"]

        return read_value

    def read_wrapped(old: object, data: bytes, start: int, stop: int, depth: int) -> object:
        message: Any = read(plan, data, start, start, depth + 1) if old is None else cls.from_wrapped(old)
        read_into(plan, message.__dict__, data, start, stop, depth + 1)
        try:
            return message.to_wrapped()
        except (OverflowError, ValueError):
            raise DecodeError(f"{cls.__name__} is out of range", start) from None

    return read_wrapped


def _map_filler(metas: tuple[FieldMetadata, FieldMetadata], types: tuple[type, ...]) -> ValueReader:
    """Return what adds one entry to a map; a key or value that is missing is its default (protobuf.dev, "Maps")."""
    plan = Plan(None, None)
    for name, meta, cls in zip(("key", "value"), metas, types, strict=True):
        plan.steps.update(_steps(name, meta, (cls,), ()))
        plan.numbers.add(meta.number)
        plan.template[name] = _default(meta, cls)
    plan.template["_unknown_fields"] = b""
    child = PLANS[types[1]] if metas[1].proto_type == "message" and metas[1].unwrap is None else None
    unwrap = _wrapped_reader(metas[1].unwrap()) if metas[1].unwrap is not None else None

    def fill(container: dict[object, object], data: bytes, start: int, stop: int, depth: int) -> dict[object, object]:
        entry = plan.template.copy()
        read_into(plan, entry, data, start, stop, depth + 1)
        value = entry["value"]
        if value is None:
            value = read(child, data, stop, stop, depth) if child else unwrap and unwrap(None, data, stop, stop, depth)
        container[entry["key"]] = value
        return container

    return fill


def _default(meta: FieldMetadata, cls: type) -> object:
    """Return the default of a map's key or value; None for a message, which is made anew each time."""
    if meta.proto_type == "message":
        return None
    if meta.proto_type == "enum":
        return cls(0)
    return cls()
