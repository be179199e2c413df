"""Envoy's metrics service: takes every flush, keeps answers and breakers of our clusters, and answers nothing.

After envoy/service/metrics/v3/metrics_service.proto. The node comes with the first message of a stream only.
"""

from __future__ import annotations

import asyncio
from typing import Final

import grpc

from xds.wire.scan import key, walk

from .breakers import Breakers
from .families import answers, breakers, families
from .receiving import Call, Door
from .reporter import Reporter, nobody, reporter
from .traffic import Traffic

SERVICE: Final = "envoy.service.metrics.v3.MetricsService"

SLICE: Final = 400
"""Families of one message that are read before the event loop gets its turn: about a millisecond."""

_IDENTIFIER: Final = key(1)  # StreamMetricsMessage.identifier
_NODE: Final = key(1)  # StreamMetricsMessage.Identifier.node


class Metrics:
    """Receives metrics into `traffic` and `breakers`.

    `received` counts messages (a flush is one or, with `batch_size`, several), `families` what was in them.
    """

    def __init__(self, door: Door, traffic: Traffic, breakers: Breakers) -> None:
        self._door = door
        self._traffic = traffic
        self._breakers = breakers
        self.received = 0
        self.families = 0

    def handler(self) -> grpc.GenericRpcHandler:
        """Return the service for a gRPC server: no (de)serialisers, bytes in and bytes out."""
        method = grpc.stream_unary_rpc_method_handler(self._stream)
        return grpc.method_handlers_generic_handler(SERVICE, {"StreamMetrics": method})

    async def _stream(self, _requests: object, call: Call) -> bytes:
        await self._door.admit(call, "metrics", self._converse)
        return b""  # an encoded StreamMetricsResponse, which has no fields

    async def _converse(self, call: Call) -> None:
        data = await call.read()
        client = _introduced(data) if isinstance(data, bytes) else None
        while isinstance(data, bytes) and client is not None:
            self.received += 1
            await self._take(client, data)
            data = await call.read()

    async def _take(self, client: Reporter, data: bytes) -> None:
        """Add one message, in slices that leave the loop its turn."""
        for read, family in enumerate(families(data), 1):
            self.families += 1
            if family is not None and family.breaker:
                for cluster, number in breakers(data, family):
                    self._breakers.told(client, cluster, family.breaker, number)
            elif family is not None:
                for cluster, measured in answers(data, family):
                    self._traffic.answered(client, cluster, measured)
            if read % SLICE == 0:
                await asyncio.sleep(0)


def _introduced(data: bytes) -> Reporter:
    """Return who sent a stream's first message; PeerError if it does not say so."""
    for found, start, stop in walk(data):
        if found == _IDENTIFIER:
            for inner, begin, end in walk(data, start, stop):
                if inner == _NODE:
                    return reporter(data, begin, end)
    raise nobody()
