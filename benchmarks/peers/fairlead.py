"""Fairlead as a peer of the fan-out benchmark: N services with a few endpoints each, served over ADS from its cache.

Started by `sides.START`, as a process of its own that is set up as `fairlead serve` sets itself up: uvloop, no
collector until the heap is settled, a log. Speaks what all peers speak: it prints `{"port": N}` once it serves; each
number on stdin becomes the weight of service-0000's first endpoint; the end of stdin is the end of the program.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import json
import sys
import time
from dataclasses import dataclass

import uvloop

from xds.ads.server import AdsServer
from xds.ads.settings import AdsSettings
from xds.cache.group import Group
from xds.cache.resource import Resource
from xds.cache.roster import Roster
from xds.cache.table import Cache
from xds.cache.typestate import Node
from xds.cli.logs import log_to_stderr
from xds.telemetry.streams import StreamCounts
from xds.wire.endpoint import cluster_load_assignment, lb_endpoint, locality_endpoints
from xds.wire.types import ResourceType


@dataclass(frozen=True, slots=True)
class Size:
    """How much is served to how many groups of nodes."""

    names: int
    endpoints: int
    groups: int
    port: int


def name(number: int) -> str:
    return f"service-{number:04d}"


def assignment(number: int, endpoints: int, weight: int = 1) -> Resource:
    """The endpoints of one service; `weight` is that of the first, all others weigh 1."""
    listed = [
        lb_endpoint(f"10.{number >> 8}.{number & 255}.{at}", 8080, health=1, weight=1 if at else weight)
        for at in range(endpoints)
    ]
    value = cluster_load_assignment(name(number), [locality_endpoints("eu", "eu-1", endpoints=listed)])
    return Resource.of(ResourceType.ENDPOINT, name(number), value)


def server(cache: Cache, size: Size) -> AdsServer:
    """The server with everything on that `fairlead serve` has on; nodes go to groups in turn."""
    admitted = frozenset(name(number) for number in range(size.names))

    def admits(_: ResourceType, wanted: str) -> bool:
        return wanted in admitted

    groups = [Group("all")] if size.groups == 1 else [Group(f"g{at}", admits=admits) for at in range(size.groups)]
    turn = itertools.cycle(groups)

    async def assign(_: Node) -> Group:
        return next(turn)

    return AdsServer(
        cache,
        Roster(),
        assign=assign,
        authorize=lambda _metadata, _peer: None,
        clock=time.monotonic,
        settings=AdsSettings(addresses=(f"127.0.0.1:{size.port}",), stream_rate=10_000, stream_burst=10_000),
        observer=StreamCounts(),
    )


async def commands() -> asyncio.StreamReader:
    """The lines of stdin."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def serve(size: Size) -> None:
    cache = Cache()
    cache.publish([assignment(number, size.endpoints) for number in range(size.names)])
    ads = server(cache, size)
    lines = await commands()
    await ads.start()
    # As `xds.app` settles its heap before it serves.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()
    print(json.dumps({"port": ads.ports[0]}), flush=True)
    async for line in lines:
        cache.publish([assignment(0, size.endpoints, int(line))])
    await ads.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-names", type=int, default=10)
    parser.add_argument("-endpoints", type=int, default=10)
    parser.add_argument("-groups", type=int, default=1)
    parser.add_argument("-port", type=int, default=0)
    given = parser.parse_args()
    log_to_stderr("info")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(Size(given.names, given.endpoints, given.groups, given.port)))


if __name__ == "__main__":
    main()
