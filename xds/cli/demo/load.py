"""The load: a fixed set of users who come back again and again through one gateway.

Raw HTTP/1.1 on asyncio protocols: the machine that runs the demo also runs the Envoys, and a comfortable client would
be the slowest part of it. Users come in one fixed order, round after round, so that any window of whole rounds holds
every user equally often.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import cycle
from typing import Final

from xds.cli.demo.ledger import Ledger

CONNECTIONS: Final = 16
PATIENCE: Final = 5.0  # seconds that a user waits for an answer

_VERSION: Final = b"\r\nx-version: "
_LENGTH: Final = b"\r\ncontent-length: "


class Lost(Exception):
    """No good answer came; the message says what came instead."""


class Connection(asyncio.Protocol):
    """One kept-alive connection, one request at a time. Reads answers that carry a content-length."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._data = b""
        self._answer: asyncio.Future[bytes] | None = None

    @property
    def is_open(self) -> bool:
        """Say whether another request can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where requests go."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """A request under way is lost."""
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Lost(f"the connection was closed{f' ({exc})' if exc else ''}"))

    def data_received(self, data: bytes) -> None:
        """Hand over the answer once it is whole."""
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        if not end or self._answer is None or self._answer.done():
            return
        if len(body) >= int(_header(head, _LENGTH) or 0):
            self._data = b""
            self._answer.set_result(head)

    async def ask(self, request: bytes) -> str:
        """Send `request` and return the version that answered 200; Lost otherwise."""
        if self._transport is None:
            raise Lost("the connection was closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        head = await self._answer
        if head[9:12] != b"200":
            came_from = _header(head, _VERSION).decode("latin-1") or "Envoy itself"
            raise Lost(f"status {head[9:12].decode('latin-1')} from {came_from}")
        if b"\r\nconnection: close" in head.lower():
            self.close()
        return _header(head, _VERSION).decode("latin-1")

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()


def _header(head: bytes, name: bytes) -> bytes:
    """Return the value of a header; Envoy writes names in lower case."""
    at = head.find(name)
    return head[at + len(name) :].partition(b"\r\n")[0].strip() if at >= 0 else b""


class Load:
    """`rate` requests per second at most, over `CONNECTIONS` connections, until it is stopped."""

    def __init__(self, ledger: Ledger, host: str, port: int, *, rate: float) -> None:
        """Know where to go; nothing is sent before `run`."""
        self._ledger = ledger
        self._host, self._port = host, port
        self._pause = 1 / rate
        self._due = 0.0
        self._stopping = False
        self._requests = tuple(
            f"GET / HTTP/1.1\r\nhost: {host}:{port}\r\nx-user: {user}\r\n\r\n".encode() for user in ledger.users
        )
        self._turns: Iterator[int] = cycle(range(len(ledger.users)))

    async def run(self) -> None:
        """Send until `stop`; then every request under way is still waited for."""
        self._due = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(self._visit())

    def stop(self) -> None:
        """Let `run` end after the requests under way."""
        self._stopping = True

    async def _visit(self) -> None:
        connection: Connection | None = None
        while not self._stopping:
            await self._turn()
            attempt = self._ledger.leave(next(self._turns))
            try:
                async with asyncio.timeout(PATIENCE):
                    if connection is None or not connection.is_open:
                        connection = await self._connect()
                    version = await connection.ask(self._requests[attempt.user])
            except (Lost, OSError, TimeoutError) as error:
                reason = str(error) or f"no answer in {PATIENCE:g} s"
                self._ledger.lost(attempt, reason)
                if connection is not None and not isinstance(error, Lost):
                    connection.close()  # an answer that comes late belongs to nobody
            else:
                self._ledger.answered(attempt, version)
        if connection is not None:
            connection.close()

    async def _turn(self) -> None:
        """Wait for the next place in the schedule; time that was lost is not made up for by a burst."""
        now = asyncio.get_running_loop().time()
        self._due = max(self._due + self._pause, now - 0.02)
        if self._due > now:
            await asyncio.sleep(self._due - now)

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, self._host, self._port)
        return connection
