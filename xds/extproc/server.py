"""The External Processing service: listens, bounds, and maps how a stream ended to a gRPC status.

The filter runs in the event loop. A request costs it a few tenths of a millisecond, most of that Python's own; a thread
would wait for the same interpreter lock and add two hand-overs. What runs longer than it should is stopped
(`Bounds.guest_call`), and one machine with all the evidence makes better decisions than several with a part each.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import grpc
import grpc.aio

from xds.ads.listening import bind
from xds.extproc.exchange import Exchange, FilterFailed
from xds.extproc.health import Health
from xds.extproc.messages import read
from xds.extproc.settings import Bounds
from xds.model.problems import PeerError
from xds.proxywasm.failures import Trapped
from xds.proxywasm.plugin import Plugin

_log = logging.getLogger("xds.extproc")

SERVICE: Final = "envoy.service.ext_proc.v3.ExternalProcessor"
IDLE_TIMER: Final = 1.0
"""Seconds after which the filter's timer is looked at again when it has none; a new machine may have one."""

_NS_PER_S: Final = 1_000_000_000

Authorize = Callable[[Mapping[str, str], str], str | None]
"""(initial metadata, peer) -> None if the client may come in, else the reason why not."""


class Call(Protocol):
    """What is needed of grpc.aio's servicer context."""

    async def read(self) -> object:
        """Return the next message, or a value that is no bytes at the end."""
        ...

    async def write(self, message: bytes) -> None:
        """Return when the message was accepted by flow control."""
        ...

    async def abort(self, code: grpc.StatusCode, details: str) -> None:
        """End the call with this status; raises."""
        ...

    def invocation_metadata(self) -> tuple[tuple[str, str | bytes], ...] | None:
        """Return the client's initial metadata."""
        ...

    def peer(self) -> str:
        """Return the client's address."""
        ...


class ExtProcServer:
    """Serves the filter in `plugin`, whose clock `now_ns` is. Counts streams that ended, by how.

    `port` is where it listens after `start`.
    """

    def __init__(
        self, plugin: Plugin, *, now_ns: Callable[[], int], bounds: Bounds, authorize: Authorize = lambda _m, _p: None
    ) -> None:
        self._plugin = plugin
        self._now_ns = now_ns
        self._bounds = bounds
        self._authorize = authorize
        self._health = Health(SERVICE)
        self._server: grpc.aio.Server | None = None
        self.open = 0
        self.ended: Counter[str] = Counter()
        self.port = 0

    async def start(self, address: str) -> None:
        """Listen. Raises Conflict, in words, if the address is taken."""
        server = grpc.aio.server(options=self._bounds.channel_options())
        methods = {"Process": grpc.stream_stream_rpc_method_handler(self._process)}
        service = grpc.method_handlers_generic_handler(SERVICE, methods)
        server.add_generic_rpc_handlers((service, self._health.handler()))
        self.port = bind(server, address, who="extproc")
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """Say that it goes, take no more requests, and give those under way their time."""
        self._health.drain()
        server, self._server = self._server, None
        if server is not None:
            await server.stop(self._bounds.drain)

    async def run_timers(self) -> None:
        """Have the filter's timer go off, until cancelled."""
        while True:
            due = self._plugin.due_ns
            wait = IDLE_TIMER if due is None else (due - self._now_ns()) / _NS_PER_S
            await asyncio.sleep(min(max(wait, 0.001), IDLE_TIMER))
            try:
                self._plugin.run_due()
            except Trapped as trapped:
                _log.error("the filter failed in its timer; the next request starts it anew: %s", trapped)

    async def _process(self, _requests: object, call: Call) -> None:
        metadata = {key: value for key, value in call.invocation_metadata() or () if isinstance(value, str)}
        reason = self._authorize(metadata, call.peer())
        if reason is not None:
            await self._end(call, grpc.StatusCode.UNAUTHENTICATED, reason)
        if self.open >= self._bounds.max_streams:
            await self._end(call, grpc.StatusCode.RESOURCE_EXHAUSTED, "too many requests under way")
        self.open += 1
        exchange = Exchange(self._plugin, self._now_ns)
        how = "cut"
        try:
            how = await self._converse(call, exchange)
        finally:
            self.open -= 1
            self.ended[how] += 1
            exchange.end()

    async def _converse(self, call: Call, exchange: Exchange) -> str:
        """One request from its first message to its end; returns how it ended, or raises as `abort` does."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._bounds.first_message) as limit:
                data = await call.read()
                limit.reschedule(loop.time() + self._bounds.deadline)
                while isinstance(data, bytes):
                    await call.write(exchange.receive(read(data)))
                    data = await call.read()
        except PeerError as error:
            return await self._end(call, grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except FilterFailed as error:
            return await self._end(call, grpc.StatusCode.INTERNAL, f"the filter failed: {error}")
        except TimeoutError:
            return await self._end(call, grpc.StatusCode.DEADLINE_EXCEEDED, "the request took too long")
        except grpc.aio.InternalError:
            return "gone"
        except Exception:  # noqa: BLE001 - one stream's failure ends one stream, whatever it is; it is logged whole
            _log.exception("stream failed", extra={"peer": call.peer()})
            return await self._end(call, grpc.StatusCode.INTERNAL, "the processor failed")
        return "done"

    async def _end(self, call: Call, code: grpc.StatusCode, words: str) -> str:
        name: str = code.name
        self.ended[name.lower()] += 1
        _log.warning("stream ended by us", extra={"peer": call.peer(), "status": name, "reason": words})
        await call.abort(code, words)
        return name.lower()
