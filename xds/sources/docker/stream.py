"""An engine's event stream, from bytes as they happen to arrive to whole events.

Sans-IO. A chunk may end inside an object, inside a character or between two events; what is no event costs itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from xds.labels.dialect import OURS_ALONE, Reading

MAX_EVENT: Final = 64 << 20  # bytes; an event repeats its container's labels, and those may be 10 MB


class Oversized(Exception):
    """One event is longer than any engine's: what follows cannot be told from its rest."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: `action` as the engine names it (`die`, `health_status: healthy`), `at` its clock in nanoseconds.

    `id` is the container that it is about, also where a network is its actor; `signal` a `kill`'s, 0 for none.
    `ours` says whether the container has labels that are meant for us; `name` and `image` are for people.
    """

    action: str
    id: str
    at: int = 0
    signal: int = 0
    ours: bool = False
    name: str = field(default="", compare=False)
    image: str = field(default="", compare=False)


@dataclass(slots=True)
class EventStream:
    """What has arrived and is not a whole event yet; `unreadable` counts what was none."""

    reading: Reading = OURS_ALONE
    _rest: bytearray = field(default_factory=bytearray)
    unreadable: int = 0

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yield the events that are whole now; Oversized when one never ends."""
        self._rest += chunk
        if b"\n" in chunk:
            *lines, rest = self._rest.split(b"\n")
            self._rest = bytearray(rest)
            for line in lines:
                if line.strip() and (event := self._read(bytes(line))) is not None:
                    yield event
        if len(self._rest) > MAX_EVENT:
            raise Oversized(f"an event of more than {MAX_EVENT >> 20} MiB")

    def _read(self, line: bytes) -> Event | None:
        try:
            event = read_event(json.loads(line), self.reading)
        except (ValueError, RecursionError):
            self.unreadable += 1
            return None
        if event is None:
            self.unreadable += 1
        return event


def read_event(said: object, reading: Reading = OURS_ALONE) -> Event | None:
    """Return an event of its JSON document; None for what is about no container."""
    if not isinstance(said, dict):
        return None
    actor = said.get("Actor")
    actor = actor if isinstance(actor, dict) else {}
    facts = actor.get("Attributes")
    facts = facts if isinstance(facts, dict) else {}
    about = facts.get("container") if said.get("Type") == "network" else actor.get("ID")
    action, at = said.get("Action"), said.get("timeNano")
    if not (isinstance(about, str) and about and isinstance(action, str) and action):
        return None
    signal = facts.get("signal", "")
    return Event(
        action=action,
        id=about,
        at=at if isinstance(at, int) and not isinstance(at, bool) else 0,
        signal=int(signal) if isinstance(signal, str) and signal.isascii() and signal.isdigit() else 0,
        ours=reading.concerns(facts),
        name=_text(facts.get("name")),
        image=_text(facts.get("image")),
    )


def _text(said: object) -> str:
    return said if isinstance(said, str) else ""
