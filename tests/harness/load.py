"""Users: many requests over kept-alive HTTP/1.1 connections, a few thousand a second from one core.

`ask` sends a list and gives back the answers in their order. `Load` is a fixed set of users who come back again and
again in a thread of its own while a test does something else; it remembers who was answered by which version, and every
request that failed. What is right is for the test to say.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import uvloop

from tests.harness.plane import WORKERS_S
from tests.harness.waiting import wait_until

PATIENCE_S: Final = 10.0
LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: its status, its head as it came, and its body."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str | None:
        """The value of the first header of that name (lower case)."""
        start = self.head.lower().find(b"\r\n" + name.encode() + b":")
        if start < 0:
            return None
        value = self.head[start + len(name) + 3 :].partition(b"\r\n")[0]
        return value.strip().decode("latin-1")

    @property
    def version(self) -> str:
        """Who answered; "" where no application did."""
        return self.header("x-version") or ""


class Failed(AssertionError):
    """A request that had no answer."""


def request(host: str, *headers: tuple[str, str], path: str = "/") -> bytes:
    """The bytes of a GET; headers as they are given, in their spelling and order."""
    lines = [f"GET {path} HTTP/1.1", f"host: {host}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class _Connection(asyncio.Protocol):
    """One connection, one request at a time. Reads answers that carry a content-length."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._data = b""
        self._answer: asyncio.Future[Answer] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's transports have a class of their own

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Failed(f"the connection was closed instead of an answer ({exc})"))

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        if not end or self._answer is None or self._answer.done():
            return
        found = head.lower().find(b"\r\ncontent-length:")
        length = int(head[found + 17 :].partition(b"\r\n")[0]) if found >= 0 else 0
        if len(body) >= length:
            self._data = b""
            self._answer.set_result(Answer(int(head[9:12]), head, body))

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, data: bytes) -> Answer:
        if self._transport is None:
            raise Failed("the connection is closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        try:
            return await asyncio.wait_for(self._answer, PATIENCE_S)
        except TimeoutError:
            self.close()
            raise Failed(f"no answer in {PATIENCE_S:g} s") from None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def _connect(port: int, source: str = LOOPBACK) -> _Connection:
    try:
        _, connection = await asyncio.get_running_loop().create_connection(
            _Connection, LOOPBACK, port, local_addr=(source, 0) if source != LOOPBACK else None
        )
    except OSError as error:
        raise Failed(f"no connection to port {port}: {error}") from None
    return connection


def ask(port: int, requests: Sequence[bytes], *, connections: int = 8) -> list[Answer]:
    """The answers to `requests`, in their order, over so many connections; Failed for one that has none."""
    answers: list[Answer | None] = [None] * len(requests)

    async def work(first: int) -> None:
        connection = await _connect(port)
        for at in range(first, len(requests), connections):
            if not connection.is_open:
                connection = await _connect(port)
            answers[at] = await connection.ask(requests[at])
        connection.close()

    async def all_of_it() -> None:
        await asyncio.gather(*(work(first) for first in range(min(connections, len(requests)))))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(all_of_it())
    return [answer for answer in answers if answer is not None]


def ask_from(port: int, sources: Sequence[str], data: bytes) -> list[Answer]:
    """The answer to the same request from each source address (127.x.y.z), a connection each."""

    async def one(source: str) -> Answer:
        connection = await _connect(port, source)
        try:
            return await connection.ask(data)
        finally:
            connection.close()

    async def all_of_it() -> list[Answer]:
        return [await one(source) for source in sources]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(all_of_it())


@dataclass(frozen=True, slots=True)
class Seen:
    """One request of the load: when it left (monotonic), who answered, or why it failed ("" when it did not)."""

    left: float
    user: int
    version: str
    failure: str = ""


@dataclass
class Load:
    """Users who come back until the block ends. One user's requests never overlap, so their order is known.

    `pause` is what each connection waits between two requests, in seconds.
    """

    port: int
    requests: Sequence[bytes]
    connections: int = 8
    pause: float = 0.008
    seen: list[Seen] = field(default_factory=list)
    _rounds: list[int] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Load:
        self._rounds = [0] * self.connections
        self._thread = threading.Thread(target=self._run, name="load")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join()

    @property
    def failures(self) -> list[Seen]:
        """Every request that was not answered 200."""
        return [seen for seen in self.seen if seen.failure]

    def wait_rounds(self, rounds: int = 1, timeout: float = 60.0) -> None:
        """Until every user has asked that many more times, from first to last after this moment."""
        goals = [done + rounds + 1 for done in self._rounds]
        wait_until(
            lambda: all(done >= goal for done, goal in zip(self._rounds, goals, strict=True)),
            timeout,
            what=f"{rounds} more rounds of all users",
        )

    def settled(self) -> float:
        """Return a moment at which Envoy's workers follow what its main thread has acknowledged; it has passed."""
        moment = time.monotonic() + WORKERS_S
        wait_until(lambda: time.monotonic() > moment, what="Envoy's workers follow")
        return moment

    def by_user(self, since: float = 0.0) -> dict[int, list[str]]:
        """The versions that each user met, in order, by requests that left after a moment; failures left out."""
        met: dict[int, list[str]] = {}
        for seen in self.seen:
            if not seen.failure and seen.left >= since:
                met.setdefault(seen.user, []).append(seen.version)
        return met

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._all())

    async def _all(self) -> None:
        await asyncio.gather(*(self._visit(first) for first in range(self.connections)))

    async def _visit(self, first: int) -> None:
        connection: _Connection | None = None
        while not self._stop.is_set():
            for user in range(first, len(self.requests), self.connections):
                if self._stop.is_set():
                    break
                left = time.monotonic()
                try:
                    if connection is None or not connection.is_open:
                        connection = await _connect(self.port)
                    answer = await connection.ask(self.requests[user])
                    failure = "" if answer.status == 200 else f"{answer.status} {answer.body[:100]!r}"
                    version = answer.version
                except Failed as error:
                    version, failure = "", str(error)
                self.seen.append(Seen(left, user, version, failure))
                await asyncio.sleep(self.pause)
            self._rounds[first] += 1
        with contextlib.suppress(AttributeError):
            connection.close()  # type: ignore[union-attr]  # None where it was stopped before the first request


def turns(versions: Iterable[str]) -> list[str]:
    """The versions without repetitions: v1 v1 v2 v2 v2 is v1 v2."""
    short: list[str] = []
    for version in versions:
        if not short or short[-1] != version:
            short.append(version)
    return short


Make = Callable[[str], bytes]


def users(count: int, make: Make, prefix: str = "user") -> tuple[list[str], list[bytes]]:
    """So many names, and the request of each."""
    names = [f"{prefix}-{number}" for number in range(count)]
    return names, [make(name) for name in names]
