"""The load reporting service as far as it goes now: a client may open its stream, and is asked for nothing.

Bootstraps carry the service from the start, so that Envoys need no restart when reports are wanted. A client that gets
no answer never reports (load_stats/v3/lrs.proto), while one that is told UNIMPLEMENTED tries again every five seconds
and writes a warning each time.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

SERVICE: Final = "envoy.service.load_stats.v3.LoadReportingService"


class Reading(Protocol):
    """What is needed of grpc.aio's servicer context."""

    async def read(self) -> object:
        """Return the next message, or a value that is no bytes at the end."""
        ...


async def hold(call: Reading, closing: asyncio.Event) -> None:
    """Take what the client sends and answer nothing, until it goes or `closing` is set."""
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(_read(call))
        stopping = tasks.create_task(closing.wait())
        await asyncio.wait((reading, stopping), return_when=asyncio.FIRST_COMPLETED)
        reading.cancel()
        stopping.cancel()


async def _read(call: Reading) -> None:
    while isinstance(await call.read(), bytes):
        pass
