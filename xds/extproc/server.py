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

    def set_code(self, code: grpc.StatusCode) -> None:
        """End the call with this status once its handler returns ..."""
        ...

    def set_details(self, details: str) -> None:
        """... and with these words."""
        ...

    def invocation_metadata(self) -> tuple[tuple[str, str | bytes], ...] | None:
        """Return the client's initial metadata."""
        ...

    def peer(self) -> str:
        """Return the client's address."""
        ...


class ExtProcServer:
    """Serves the filter in `plugin`, whose clock `now_ns` is. `open` streams, and those that `ended`, by status.

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
        code, words = await self._serve(call)
        name = str(code.name).lower()
        self.ended[name] += 1
        if code is grpc.StatusCode.OK:
            return
        times = self.ended[name]
        if times.bit_count() == 1:  # the 1st, 2nd, 4th, 8th ...: there may be thousands a second
            facts = {"peer": call.peer(), "status": code.name, "reason": words, "times": times}
            _log.warning("streams ended by us", extra=facts)
        call.set_code(code)
        call.set_details(words)

    async def _serve(self, call: Call) -> tuple[grpc.StatusCode, str]:
        """One request from its first message to its end; returns what Envoy is told at last."""
        metadata = {key: value for key, value in call.invocation_metadata() or () if isinstance(value, str)}
        reason = self._authorize(metadata, call.peer())
        if reason is not None:
            return grpc.StatusCode.UNAUTHENTICATED, reason
        if self.open >= self._bounds.max_streams:
            return grpc.StatusCode.RESOURCE_EXHAUSTED, "too many requests under way"
        self.open += 1
        exchange = Exchange(self._plugin, self._now_ns)
        try:
            await self._converse(call, exchange)
        except PeerError as error:
            return grpc.StatusCode.INVALID_ARGUMENT, str(error)
        except FilterFailed as error:
            return grpc.StatusCode.INTERNAL, f"the filter failed: {error}"
        except TimeoutError:
            return grpc.StatusCode.DEADLINE_EXCEEDED, "the request took too long"
        except grpc.aio.InternalError:
            return grpc.StatusCode.OK, "the client is gone"
        except Exception:  # noqa: BLE001 - one stream's failure ends one stream, whatever it is; it is logged whole
            _log.exception("stream failed", extra={"peer": call.peer()})
            return grpc.StatusCode.INTERNAL, "the processor failed"
        finally:
            self.open -= 1
            exchange.end()
        return grpc.StatusCode.OK, ""

    async def _converse(self, call: Call, exchange: Exchange) -> None:
        """Answer messages in their order until there are no more. Raises TimeoutError."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._bounds.first_message) as limit:
            data = await call.read()
            limit.reschedule(loop.time() + self._bounds.deadline)
            while isinstance(data, bytes):
                await call.write(exchange.receive(read(data)))
                data = await call.read()
