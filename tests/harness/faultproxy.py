"""A TCP proxy with the faults of real networks, for tests that sit between a client and its server.

Delay, a narrow link, a stall, a half-open connection, a cut after so many bytes. Faults are attributes and may change
while connections are open; they hold for all of them, in both directions. Knows bytes, no protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

CHUNK = 64 * 1024
TURN = 0.02


@dataclass
class FaultProxy:
    """One listening port in front of another.

    `latency`: seconds by which each piece is late. `bandwidth`: bytes a second in each direction, None for no bound.
    `stalled`: nothing is read and nothing passed on, so that the sender's window fills. `half_open`: everything is
    swallowed, ends of connections too, as when a cable is pulled. `cut_after`: bytes from the server after which its
    connection is reset, None for never.
    """

    target: int
    port: int = 0
    latency: float = 0.0
    bandwidth: float | None = None
    stalled: bool = False
    half_open: bool = False
    cut_after: int | None = None
    connections: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until both sides are done."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(reader, far_writer))
                both.create_task(self._carry(far_reader, writer, from_server=True))
        except* (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            for side in (writer, far_writer):
                side.transport.abort()
            self._tasks.discard(task)

    async def _carry(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, from_server: bool = False
    ) -> None:
        passed = 0
        while True:
            while self.stalled:  # noqa: ASYNC110 - a fault is an attribute that a test flips
                await asyncio.sleep(TURN)
            size = CHUNK if self.bandwidth is None else max(1, int(self.bandwidth * TURN))
            data = await source.read(size)
            if self.half_open:
                if not data:  # the end is swallowed like everything else
                    await asyncio.Event().wait()
                continue
            if not data:
                break
            if self.latency:
                await asyncio.sleep(self.latency)
            if self.bandwidth is not None:
                await asyncio.sleep(len(data) / self.bandwidth)
            passed += len(data)
            if from_server and self.cut_after is not None and passed > self.cut_after:
                raise ConnectionResetError("cut")
            sink.write(data)
            await sink.drain()
        raise ConnectionResetError("one side is done")

    def close(self) -> None:
        """End every connection."""
        for task in self._tasks:
            task.cancel()


@contextlib.asynccontextmanager
async def fault_proxy(target: int) -> AsyncIterator[FaultProxy]:
    """A proxy in front of a port of this machine, without a fault so far; everything ends with the block."""
    proxy = FaultProxy(target)
    # A small buffer in front of the proxy: what a slow link does not take stays with the sender.
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=CHUNK)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.close()
        await asyncio.sleep(0)
