"""A herd of ADS clients as a program: `herd.py PORT STREAMS CONNECTIONS SECONDS`, then clients until it is ended.

Each asks for all clusters, accepts what it gets, and comes back when its stream ends, after a pause as Envoy makes it:
at random up to twice the last one, from half a second up to `SECONDS`. Whenever all are served again it prints a line,
`served N refused M failed K`: refused by UNAVAILABLE, failed in any other way since the line before.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from functools import lru_cache

import grpc
import grpc.aio
from envoy_data_plane.envoy.config.core.v3 import Node
from envoy_data_plane.envoy.service.discovery.v3 import DeltaDiscoveryRequest, DeltaDiscoveryResponse

METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
CDS = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
FIRST_PAUSE_S = 0.5


class Herd:
    """So many clients on so few connections."""

    def __init__(self, port: int, streams: int, connections: int, longest: float) -> None:
        options = [
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.initial_reconnect_backoff_ms", 200),
            ("grpc.max_reconnect_backoff_ms", 1000),
        ]
        self._channels = [grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) for _ in range(connections)]
        self._streams, self._longest = streams, longest
        self._served: set[int] = set()
        self._ended: Counter[str] = Counter()

    async def run(self) -> None:
        """Be there until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(self._streams):
                tasks.create_task(self._client(number))

    async def _client(self, number: int) -> None:
        call = self._channels[number % len(self._channels)].stream_stream(METHOD)
        hello = bytes(DeltaDiscoveryRequest(node=Node(id=f"herd-{number}"), type_url=CDS))
        pause = FIRST_PAUSE_S
        while True:
            stream = call()
            try:
                await stream.write(hello)
                while isinstance(data := await stream.read(), bytes):
                    pause = FIRST_PAUSE_S
                    self._is_served(number)
                    await stream.write(_accepted(data))
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                pass  # the status says it as well
            code = await stream.code()
            self._ended["refused" if code is grpc.StatusCode.UNAVAILABLE else code.name] += 1
            self._served.discard(number)
            await asyncio.sleep(random.uniform(0.1, pause))
            pause = min(pause * 2, self._longest)

    def _is_served(self, number: int) -> None:
        if number in self._served:
            return
        self._served.add(number)
        if len(self._served) == self._streams:
            refused = self._ended.pop("refused", 0)
            sys.stdout.write(f"served {self._streams} refused {refused} failed {self._ended.total()}\n")
            sys.stdout.flush()
            self._ended.clear()


@lru_cache  # after a start they are all told the same, and a thousand clients share one core with what they test
def _accepted(response: bytes) -> bytes:
    nonce = DeltaDiscoveryResponse.parse(response).nonce
    return bytes(DeltaDiscoveryRequest(type_url=CDS, response_nonce=nonce))


async def main(port: str, streams: str, connections: str, longest: str) -> None:
    await Herd(int(port), int(streams), int(connections), float(longest)).run()  # channels belong to the running loop


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
