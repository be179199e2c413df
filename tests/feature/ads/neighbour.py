"""A client like any other, and how long its pushes take while something else is going on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.feature.ads.wire_client import DeltaStream, connect, node
from tests.harness.plane import Plane
from xds.wire.types import ResourceType

CDS = ResourceType.CLUSTER


class Neighbour:
    """A subscriber of all clusters; `took` has the seconds from each change to its push."""

    def __init__(self, plane: Plane, stream: DeltaStream) -> None:
        self._plane, self._stream = plane, stream
        self.took: list[float] = []

    @property
    def slowest(self) -> float:
        """The longest that a push took, in seconds."""
        return max(self.took)

    async def pushes(self, count: int) -> None:
        """So many changes, each of which has to arrive before the next."""
        for _ in range(count):
            timeout = f"{1001 + len(self.took)}ms"
            since = time.monotonic()
            await asyncio.to_thread(self._plane.put, "services/web", {"connect_timeout": timeout})
            response = await self._stream.response()
            self.took.append(time.monotonic() - since)
            assert response.resources
            await self._stream.ask(CDS, nonce=response.nonce)


@asynccontextmanager
async def neighbour(plane: Plane) -> AsyncIterator[Neighbour]:
    """Connect to a control plane that has a service `web`, and take what there is."""
    async with connect(plane.ads) as wire:
        stream = wire.delta()
        await stream.ask(CDS, as_node=node("neighbour"))
        await stream.ask(CDS, nonce=(await stream.response()).nonce)
        yield Neighbour(plane, stream)
