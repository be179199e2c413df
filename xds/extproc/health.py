"""gRPC's health service (grpc/health/v1/health.proto), for Envoy's active health checks and for orchestrators.

Three fields are all there is to it, so it is written out here instead of another dependency.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import grpc

from xds.wire.errors import DecodeError
from xds.wire.scan import key, text, walk

SERVICE: Final = "grpc.health.v1.Health"

_SERVING: Final = b"\x08\x01"  # HealthCheckResponse.status
_NOT_SERVING: Final = b"\x08\x02"
_NAME: Final = key(1)  # HealthCheckRequest.service


class Health:
    """Serving until it is told otherwise; for the server as a whole and for the services in `names`."""

    def __init__(self, *names: str) -> None:
        self._names = {"", *names}
        self._draining = asyncio.Event()

    def drain(self) -> None:
        """Say NOT_SERVING from now on."""
        self._draining.set()

    def handler(self) -> grpc.GenericRpcHandler:
        """Return the service for a gRPC server."""
        methods = {
            "Check": grpc.unary_unary_rpc_method_handler(self._check),
            "Watch": grpc.unary_stream_rpc_method_handler(self._watch),
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    def _status(self) -> bytes:
        return _NOT_SERVING if self._draining.is_set() else _SERVING

    async def _check(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        await self._known(request, context)
        return self._status()

    async def _watch(self, request: bytes, context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
        await self._known(request, context)
        yield self._status()
        if not self._draining.is_set():
            await self._draining.wait()
            yield self._status()

    async def _known(self, request: bytes, context: grpc.aio.ServicerContext) -> None:
        try:
            name = next((text(request, start, stop) for found, start, stop in walk(request) if found == _NAME), "")
        except DecodeError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        if name not in self._names:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"there is no service {name!r} here")
