"""An ADS client as a program of its own, so that a test can stop it: accepts all clusters, for ever."""

from __future__ import annotations

import asyncio
import sys

from envoy_data_plane.envoy.service.discovery.v3 import DeltaDiscoveryResponse

from tests.feature.ads.wire_client import connect, node
from xds.wire.types import ResourceType


async def main(port: int) -> None:
    async with connect(port) as wire:
        stream = wire.delta()
        await stream.ask(ResourceType.CLUSTER, as_node=node("stopped"))
        while isinstance(data := await stream.call.read(), bytes):
            nonce = DeltaDiscoveryResponse.parse(data).nonce
            await stream.ask(ResourceType.CLUSTER, nonce=nonce)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
