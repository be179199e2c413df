"""A road between Envoys and their control plane on which routes may travel slowly and everything else does not.

A gRPC proxy that hands on bytes: it reads no more of a response than which type it is of.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator

import grpc
import grpc.aio

from tests.harness.ports import free_port

ROUTES = b"envoy.config.route.v3.RouteConfiguration"


class Road(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types for it
    """Listens on `port` and leads to the control plane at `to`; `delay` seconds hold back each response of routes."""

    def __init__(self, to: int) -> None:
        self.to = to
        self.port = free_port()
        self.delay = 0.0
        self.held = 0
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._opened = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), name="road")

    def __enter__(self) -> Road:
        self._thread.start()
        assert self._opened.wait(10), "the road is open"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """Lead any stream on."""
        method = handler_call_details.method

        async def lead(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
            await self._lead(method, requests, context)

        return grpc.stream_stream_rpc_method_handler(lead)

    async def _serve(self) -> None:
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)])
        server.add_generic_rpc_handlers((self,))
        assert server.add_insecure_port(f"127.0.0.1:{self.port}") == self.port
        await server.start()
        self._opened.set()
        await self._stop.wait()
        await server.stop(0)
        if open_still := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(open_still, timeout=5)

    async def _lead(
        self, method: str, requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]
    ) -> None:
        options = [("grpc.max_receive_message_length", -1)]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.to}", options=options) as channel:
            call = channel.stream_stream(method)()
            slow: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
            async with asyncio.TaskGroup() as tasks:
                others = [tasks.create_task(_up(requests, call)), tasks.create_task(_late(slow, context))]
                with contextlib.suppress(grpc.aio.AioRpcError):  # it ends when the control plane does
                    async for response in call:
                        await self._down(response, slow, context)
                for other in others:
                    other.cancel()
                call.cancel()
        await context.abort(grpc.StatusCode.UNAVAILABLE, "the control plane is away")

    async def _down(
        self,
        response: bytes,
        slow: asyncio.Queue[tuple[float, bytes]],
        context: grpc.aio.ServicerContext[bytes, bytes],
    ) -> None:
        if ROUTES in response and self.delay:
            self.held += 1
            slow.put_nowait((asyncio.get_running_loop().time() + self.delay, response))
        else:
            await context.write(response)


async def _late(slow: asyncio.Queue[tuple[float, bytes]], context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
    while True:
        due, response = await slow.get()
        await asyncio.sleep(due - asyncio.get_running_loop().time())
        await context.write(response)


async def _up(requests: AsyncIterator[bytes], call: grpc.aio.StreamStreamCall[bytes, bytes]) -> None:
    with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
        async for request in requests:
            await call.write(request)
