"""Reads messages by a plan per class: a table from wire key to what to do with the value.

One loop reads every message in place, without slicing sub-messages out, and writes their attribute
dictionaries directly: the values are right by construction, so constructors and validation are passed by.
How a plan is made lies in `plans`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import betterproto2

from .errors import DecodeError
from .fragments import FIXED32, FIXED64, LENGTH, VARINT
from .numbers import long_varint

MAX_DEPTH = 100
"""Levels of sub-messages and map entries that are accepted, as in Google's runtimes."""

_MAX_NUMBER = (1 << 29) - 1
_WIRE_NAMES = {VARINT: "a varint", FIXED64: "eight bytes", LENGTH: "a length and bytes", FIXED32: "four bytes"}
_new: Any = object.__new__  # typed for classes known to the checker; here the class is a value

# Attribute dictionaries hold whatever the fields of a message hold; only its metadata knows what.
Values = dict[str, Any]

# The kinds of step. Plain integers, in the order of `read_into`'s tests: this is the inner loop.
NUMBER, NUMBERS, TEXT, CHILD, CHILDREN, VALUE, ITEM = range(7)


class Step(NamedTuple):
    """What to do with one wire key.

    | kind | the wire has | `use` is | effect |
    |---|---|---|---|
    | NUMBER | a varint | convert(int) | set |
    | NUMBERS | a varint | convert(int) | append |
    | TEXT | UTF-8 | - | set |
    | CHILD | a message | its Plan | set, or merge into what is there |
    | CHILDREN | a message | its Plan | append |
    | VALUE | a payload | read(old, data, start, stop, depth) | set; `old` is what is there, e.g. a map to fill |
    | ITEM | a payload | read(None, data, start, stop, depth) | append |
    """

    kind: int
    name: str
    # Differs by kind, as the table says: a union would cost a test per field in the inner loop.
    use: Any
    others: tuple[str, ...] = ()
    """The other members of the field's oneof, which this one displaces."""


class Plan:
    """How to read one message class, or the entries of one map field (which have no class)."""

    __slots__ = ("cls", "fresh", "numbers", "prepare", "steps", "template")

    def __init__(self, cls: type[betterproto2.Message] | None, prepare: Callable[[Plan], None] | None) -> None:
        self.cls = cls
        self.prepare = prepare
        """Fills the plan at its first use, not when its parent is planned: classes refer to each other in circles."""
        self.steps: dict[int, Step] = {}
        self.numbers: set[int] = set()
        """The fields that exist: a key that is no step, for one of them, has the wrong wire type."""
        self.template: Values = {}
        self.fresh: tuple[tuple[str, Callable[[], object]], ...] = ()

    def values(self) -> Values:
        """Return the attributes of an empty message, containers of its own included."""
        if self.prepare is not None:
            self.prepare(self)
            self.prepare = None
        values = self.template.copy()
        for name, container in self.fresh:
            values[name] = container()
        return values


def read(  # noqa: PLR0913 - the state of the inner loop
    plan: Plan, data: bytes, pos: int, end: int, depth: int, old: betterproto2.Message | None = None
) -> betterproto2.Message:
    """Return the message in `data[pos:end]`, which lies `depth` levels deep, merged into `old`; raise `DecodeError`."""
    if old is not None:
        read_into(plan, old.__dict__, data, pos, end, depth)
        return old
    message: betterproto2.Message = _new(plan.cls)
    message.__dict__ = values = plan.values()
    read_into(plan, values, data, pos, end, depth)
    return message


def read_into(plan: Plan, values: Values, data: bytes, pos: int, end: int, depth: int) -> None:  # noqa: PLR0912, PLR0913, PLR0915 - the inner loop: calls would cost more than the work
    """Merge the message in `data[pos:end]` into the attributes `values`; raise `DecodeError`."""
    if depth > MAX_DEPTH:
        raise DecodeError(f"nested deeper than {MAX_DEPTH} levels", pos)
    steps = plan.steps
    unknown: list[bytes] = []
    try:
        while pos < end:
            start = pos
            key = data[pos]
            pos += 1
            if key > 0x7F:
                key, pos = long_varint(data, start)
            step = steps.get(key)
            if step is None:
                pos = _skip(plan, key, data, start, pos, end)
                unknown.append(data[start:pos])
                continue
            kind, name, use, others = step
            if kind <= NUMBERS:
                value = data[pos]
                pos += 1
                if value > 0x7F:
                    value, pos = long_varint(data, pos - 1)
                if kind == NUMBER:
                    values[name] = use(value)
                else:
                    values[name].append(use(value))
            else:
                if key & 7 == LENGTH:
                    size = data[pos]
                    pos += 1
                    if size > 0x7F:
                        size, pos = long_varint(data, pos - 1)
                else:
                    size = 4 if key & 7 == FIXED32 else 8
                stop = pos + size
                if stop > end:
                    raise DecodeError("value runs beyond its message", start)
                if kind == TEXT:
                    values[name] = data[pos:stop].decode()
                elif kind == CHILD:
                    values[name] = read(use, data, pos, stop, depth + 1, values[name])
                elif kind == CHILDREN:
                    values[name].append(read(use, data, pos, stop, depth + 1))
                elif kind == VALUE:
                    values[name] = use(values[name], data, pos, stop, depth)
                else:
                    values[name].append(use(None, data, pos, stop, depth))
                pos = stop
            for other in others:
                values[other] = None
    except IndexError:
        raise DecodeError("input ends inside a value", len(data)) from None
    except UnicodeDecodeError as error:
        raise DecodeError("string is not UTF-8", pos + error.start) from None
    if pos != end:
        raise DecodeError("value runs beyond its message", end)
    if unknown:
        _keep(values, b"".join(unknown))


def _keep(values: Values, unknown: bytes) -> None:
    """Append to the unknown fields of a message."""
    kept = values["_unknown_fields"]
    if not kept:
        values["_unknown_fields"] = unknown
    elif isinstance(kept, bytearray):
        kept += unknown
    else:
        # A message that occurs twice. It may occur a million times: a bytearray grows without copying all of it.
        values["_unknown_fields"] = bytearray(kept + unknown)


def _skip(plan: Plan, key: int, data: bytes, start: int, pos: int, end: int) -> int:  # noqa: PLR0913 - the state of the inner loop
    """Return the position behind the unknown field whose key lies at `start` and whose value begins at `pos`."""
    number, wire = key >> 3, key & 7
    if not 0 < number <= _MAX_NUMBER:
        raise DecodeError(f"field number {number} does not exist", start)
    if wire not in _WIRE_NAMES:
        raise DecodeError(f"wire type {wire} is a group or does not exist", start)
    if number in plan.numbers:
        raise DecodeError(f"field {number} is not encoded as {_WIRE_NAMES[wire]}", start)
    if wire == VARINT:
        pos = long_varint(data, pos)[1]
    elif wire == LENGTH:
        size, pos = long_varint(data, pos)
        pos += size
    else:
        pos += 4 if wire == FIXED32 else 8
    if pos > end:
        raise DecodeError("value runs beyond its message", start)
    return pos
