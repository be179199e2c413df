"""A document read field by field, so that what nobody read is known: that is the report of what did not map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

Json = Mapping[str, object]
"""A plain document, or a part of one."""


class Left(NamedTuple):
    """Something that did not map: which document it is in (from 0), the pointer to it, and why."""

    document: int
    pointer: str
    why: str


class Fields:
    """The fields of one mapping. Each is asked for once; `leave_rest` reports those that nobody asked for."""

    def __init__(self, value: Json, document: int, pointer: str, left: list[Left]) -> None:
        """Start with nothing read."""
        self._value, self._document, self._left = value, document, left
        self._unread = dict.fromkeys(value)
        self.pointer = pointer

    def __contains__(self, name: str) -> bool:
        """Say whether a field is there, without reading it."""
        return self._value.get(name) is not None

    def names(self) -> Iterator[str]:
        """Yield the names of all fields."""
        yield from self._value

    def raw(self, name: str) -> object:
        """Return a field as it is, None where it is missing."""
        self._unread.pop(name, None)
        return self._value.get(name)

    def text(self, name: str) -> str:
        """Return a field as text, "" where it is missing; numbers are text as well, as YAML makes of `v: 1`."""
        value = self.raw(name)
        if value is None or isinstance(value, str):
            return value or ""
        if isinstance(value, int | float) and not isinstance(value, bool):
            return f"{value:.12g}" if isinstance(value, float) else str(value)
        self.leave(name, "is no text")
        return ""

    def number(self, name: str) -> int | None:
        """Return a field that is a whole number, None where it is missing or none."""
        value = self.raw(name)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        self.leave(name, "is no whole number")
        return None

    def flag(self, name: str) -> bool:
        """Return a field that is true or false."""
        return self.raw(name) is True

    def part(self, name: str) -> Fields | None:
        """Return a field that is a mapping, None where it is missing or none."""
        value = self.raw(name)
        if value is None:
            return None
        if isinstance(value, Mapping):
            return Fields(value, self._document, f"{self.pointer}/{name}", self._left)
        self.leave(name, "is no mapping")
        return None

    def parts(self, name: str) -> list[Fields]:
        """Return a list of mappings; what is none of them is reported."""
        value = self.raw(name)
        found: list[Fields] = []
        for at, item in enumerate(value if isinstance(value, list) else []):
            if isinstance(item, Mapping):
                found.append(Fields(item, self._document, f"{self.pointer}/{name}/{at}", self._left))
            else:
                self.leave(f"{name}/{at}", "is no mapping")
        if value is not None and not isinstance(value, list):
            self.leave(name, "is no list")
        return found

    def texts(self, name: str) -> list[str]:
        """Return a list of text."""
        value = self.raw(name)
        return [str(item) for item in value] if isinstance(value, list) else []

    def leave(self, name: str, why: str) -> None:
        """Report a field, or (with "") the whole."""
        self._unread.pop(name, None)
        place = f"{self.pointer}/{name}" if name else self.pointer
        self._left.append(Left(self._document, place, why))

    def leave_rest(self, why: str = "nothing here does that") -> None:
        """Report every field that nobody asked for."""
        for name in list(self._unread):
            self.leave(name, why)
