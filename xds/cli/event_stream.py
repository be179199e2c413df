"""The events of a control plane, read for ever: taken up again after the last one, also over a restart.

Server-sent events as the HTML standard has them (section 9.2.6), as far as one server of ours says them.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import httpx

from xds.cli.exits import Failed
from xds.cli.output import Row

if TYPE_CHECKING:
    from xds.cli.client import Client

SILENCE: Final = httpx.Timeout(10.0, connect=5.0, read=30.0)  # a quiet stream says every ten seconds that it lives
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 5.0
MOST: Final = 1000  # events that wait to be shown; who reads the stream waits, then


@dataclass(frozen=True, slots=True)
class Told:
    """One revision with what it changed; or, without changes, word of the stream itself.

    `trouble` is why it broke off, "" once it goes on.
    """

    revision: int = 0
    changes: tuple[Row, ...] = ()
    trouble: str = ""


class EventStream:
    """Follows the events above a revision in a thread of its own; they are taken from a queue, in order."""

    def __init__(self, client: Client, after: int, *, kind: str) -> None:
        """Start to follow; the thread ends with the process."""
        self._client = client
        self._after: int | None = after
        self._kind = kind
        self._queue: queue.Queue[Told] = queue.Queue(MOST)
        threading.Thread(target=self._follow, name="events", daemon=True).start()

    def take(self, seconds: float) -> list[Told]:
        """Return what has come, or what comes first within that time; nothing if nothing does."""
        try:
            found = [self._queue.get(timeout=seconds)]
        except queue.Empty:
            return []
        while True:
            try:
                found.append(self._queue.get_nowait())
            except queue.Empty:
                return found

    def _follow(self) -> None:
        pause, wait = FIRST_PAUSE, threading.Event()
        while True:
            try:
                for told in self._read():
                    pause = FIRST_PAUSE
                    self._queue.put(told)
                trouble = "the control plane ended the stream of events"
            except (httpx.HTTPError, Failed) as error:
                trouble = str(error) or type(error).__name__
            self._queue.put(Told(trouble=trouble))
            wait.wait(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)

    def _read(self) -> Iterator[Told]:
        query = {"after": self._after, "kind": self._kind}
        with self._client.stream("/v1/events", query, SILENCE) as answer:
            if answer.status_code == httpx.codes.GONE:
                self._after = None  # from the newest on; what came before is seen in the list
            self._client.check(answer)
            for number, name, data in events(answer.iter_lines()):
                if number:
                    self._after = int(number)
                if name == "revision":
                    said = cast("Mapping[str, object]", json.loads(data))
                    yield Told(int(number), tuple(cast("list[Row]", said["changes"])))
                elif not name:
                    yield Told()  # it goes on


def events(lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yield the events of a stream: id, name and data, "" for what one does not say; comments are left out."""
    said: dict[str, str] = {}
    for line in lines:
        if not line:
            if said:
                yield said.get("id", ""), said.get("event", ""), said.get("data", "")
            said = {}
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name:
            said[name] = f"{said[name]}\n{value}" if name == "data" and name in said else value
