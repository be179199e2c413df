"""Listens, tells who may come in, and maps how a stream ended to a gRPC status.

One stream's failure ends one stream.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

import grpc
import grpc.aio

from xds.cache.roster import Roster
from xds.cache.table import Cache
from xds.model.problems import FairleadError, Forbidden, InvalidInput, PeerError, Unavailable
from xds.protocol.delta import DeltaExchange
from xds.protocol.exchange import R
from xds.protocol.requests import DeltaRequest, StateRequest
from xds.protocol.sotw import StateExchange
from xds.wire.types import ResourceType

from .decode import delta_request, state_request
from .limits import Bucket, LimitReached, Watchdog
from .listening import bind
from .observer import Nobody, Observer
from .peers import Peers
from .services import CLIENT_STATUS, SERVICES
from .settings import AdsSettings
from .stream import Assign, Call, ClientGone, Kind, Parts, SlowReader, Stream

if TYPE_CHECKING:
    from .status import StatusService

_log = logging.getLogger("xds.ads")

T = TypeVar("T")

STATE: Final = Kind("sotw", state_request, StateExchange)
DELTA: Final = Kind("delta", delta_request, DeltaExchange)

Authorize = Callable[[Mapping[str, str], str], str | None]
"""(initial metadata, peer) -> None if the client may come in, else the reason why not."""


class Ending(NamedTuple):
    """The last thing that a client hears: status and words; and which node it is, "" if it never said."""

    code: grpc.StatusCode
    words: str
    node: str


class ServicerContext(Call, Protocol):
    """What the server needs of grpc.aio's servicer context beyond what a stream needs."""

    def invocation_metadata(self) -> tuple[tuple[str, str | bytes], ...] | None:
        """Return the client's initial metadata."""
        ...

    async def send_initial_metadata(self, metadata: tuple[tuple[str, str], ...]) -> None:
        """Send the server's initial metadata."""
        ...

    def set_code(self, code: grpc.StatusCode) -> None:
        """End the call with this status once its handler returns ..."""
        ...

    def set_details(self, details: str) -> None:
        """... and with these words."""
        ...


class AdsServer:
    """The xDS listener: the aggregated service, one for each type, client status, and `services` beside them.

    Whoever made `services` ends their streams before `stop`.
    `clock` gives monotonic seconds, the same as the roster's readers use; `wall` is the time that client status gives
    for refusals, if any; `observer` is told what streams do.
    `ports` are those it listens on, in the order of the addresses, after `start`.
    """

    def __init__(  # noqa: PLR0913 - the parts of a server, all but two of them by name
        self,
        cache: Cache,
        roster: Roster,
        *,
        assign: Assign,
        authorize: Authorize,
        clock: Callable[[], float],
        wall: Callable[[], datetime] | None = None,
        settings: AdsSettings | None = None,
        observer: Observer | None = None,
        services: Sequence[grpc.GenericRpcHandler] = (),
    ) -> None:
        self._settings = settings or AdsSettings()
        self._observer: Observer = observer or Nobody()
        self._watchdog = Watchdog(self._settings.write_deadline, clock)
        self._parts = Parts(cache, roster, assign, clock, self._settings, self._observer, self._watchdog)
        self._wall = wall
        self._status: StatusService | None = None
        self._authorize = authorize
        self._services = tuple(services)
        self._arrivals = Bucket(self._settings.stream_rate, self._settings.stream_burst)
        self._peers = Peers(self._settings.peer_stream_rate, self._settings.peer_stream_burst)
        self._numbers = itertools.count(1)
        self._streams: set[Stream[StateRequest] | Stream[DeltaRequest]] = set()
        self._server: grpc.aio.Server | None = None
        self._draining = False
        self.ports: tuple[int, ...] = ()

    async def start(self) -> None:
        """Listen on every address. Raises Conflict, in words, if one is taken or not ours; nothing listens then."""
        server = grpc.aio.server(options=self._settings.channel_options())
        server.add_generic_rpc_handlers((*self._discovery(), self._client_status(), *self._services))
        self.ports = tuple([bind(server, address) for address in self._settings.addresses])
        await server.start()
        self._server = server
        self._watchdog.start()
        _log.info("listening", extra={"addresses": list(self._settings.addresses), "ports": list(self.ports)})

    async def stop(self) -> None:
        """End every stream with UNAVAILABLE, wait for them at most the grace, stop listening. Safe to call twice."""
        server, self._server = self._server, None
        if server is None:
            return
        self._draining = True
        for stream in self._streams:
            stream.drain()
        if self._status is not None:
            self._status.drain()
        await server.stop(self._settings.drain_grace)
        self._watchdog.stop()

    def _discovery(self) -> Iterator[grpc.GenericRpcHandler]:
        for service in SERVICES:
            methods = {service.delta: self._handler(DELTA, service.type)}
            if service.state:
                methods[service.state] = self._handler(STATE, service.type)
            yield grpc.method_handlers_generic_handler(service.name, methods)

    def _client_status(self) -> grpc.GenericRpcHandler:
        async def stream(_requests: object, context: ServicerContext) -> None:
            async def answers() -> None:
                await (await self._status_service()).stream(context)

            await self._guarded(context, answers)

        async def fetch(request: bytes, context: ServicerContext) -> bytes | None:
            async def answer() -> bytes:
                return await (await self._status_service()).fetch(request)

            return await self._guarded(context, answer)

        methods = {
            "StreamClientStatus": grpc.stream_stream_rpc_method_handler(stream),
            "FetchClientStatus": grpc.unary_unary_rpc_method_handler(fetch),
        }
        return grpc.method_handlers_generic_handler(CLIENT_STATUS, methods)

    async def _status_service(self) -> StatusService:
        """Return what tells about clients. Made when first asked for: its messages take a third of a second to load."""
        make = await asyncio.to_thread(_load_status_service)
        if self._status is None:
            parts, deadline = self._parts, self._settings.write_deadline
            made = make(parts.cache, parts.roster, clock=parts.clock, wall=self._wall, write_deadline=deadline)
            self._status = made
            if self._draining:
                made.drain()
        return self._status

    async def _guarded(self, context: ServicerContext, work: Callable[[], Awaitable[T]]) -> T | None:
        """Do what somebody asks who may come in; tell him by the status what is wrong."""
        refused = self._refusal(context)
        if refused is not None:
            context.set_code(refused[0])
            context.set_details(refused[1])
            return None
        await context.send_initial_metadata(())
        try:
            return await work()
        except FairleadError as error:
            if isinstance(error, LimitReached | SlowReader):
                self._observer.limited(error.limit if isinstance(error, LimitReached) else "write")
            _end(context, Ending(_code(error), error.message, ""))
        except ClientGone:
            _log.info("client gone")
        except Exception:  # noqa: BLE001 - as in _run: one call's failure ends one call
            _log.exception("status call failed")
            _end(context, Ending(grpc.StatusCode.INTERNAL, "the control plane failed", ""))
        return None

    def _handler(self, kind: Kind[R], only: ResourceType | None) -> grpc.RpcMethodHandler:
        """Return the handler of one method. No (de)serialisers: bytes in, bytes out."""

        async def handle(_requests: object, context: ServicerContext) -> None:
            await self._run(context, kind, only)

        return grpc.stream_stream_rpc_method_handler(handle)

    async def _run(self, context: ServicerContext, kind: Kind[R], only: ResourceType | None) -> None:
        refused = self._refusal(context)
        if refused is not None:
            context.set_code(refused[0])
            context.set_details(refused[1])
            return
        # Before anything else: a status can be sent while a write is under way only if the metadata went ahead of it.
        await context.send_initial_metadata(())
        self._observer.opened(kind.name)
        reason, ending = "gone", None
        try:
            reason, ending = await self._serve(Stream(next(self._numbers), context, kind, only, self._parts))
            if ending is not None:
                _end(context, ending)
        finally:
            self._observer.closed(kind.name, reason)

    async def _serve(self, stream: Stream[R]) -> tuple[str, Ending | None]:
        """Serve a stream to its end; return how it ended, and what to say to the client.

        A frame of its own, so that nothing of the stream is alive while its last words wait for the client.
        """
        self._streams.add(stream)
        try:
            await stream.run()
        except ClientGone:
            _log.info("client gone", extra={"node": stream.node_id})
            return "gone", None
        except FairleadError as error:
            if isinstance(error, LimitReached | SlowReader):
                self._observer.limited(error.limit if isinstance(error, LimitReached) else "write")
            ending = Ending(_code(error), error.message, stream.node_id)
        except Exception:  # noqa: BLE001 - one stream's failure ends one stream, whatever it is; it is logged whole
            _log.exception("stream failed", extra={"node": stream.node_id})
            ending = Ending(grpc.StatusCode.INTERNAL, "the control plane failed", stream.node_id)
        else:
            return "done", None
        finally:
            self._streams.discard(stream)
        return ending.code.name.lower(), ending

    def _refusal(self, context: ServicerContext) -> tuple[grpc.StatusCode, str] | None:
        if self._draining:
            self._observer.refused("draining")
            return grpc.StatusCode.UNAVAILABLE, "the control plane is shutting down; reconnect"
        now, peer = self._parts.clock(), context.peer()
        if not self._peers.take(peer, now):
            self._observer.refused("peer")
            if self._peers.close(peer):
                self._observer.limited("peer")
                _log.warning("connection closed: too many new streams on it", extra={"peer": peer})
            return grpc.StatusCode.RESOURCE_EXHAUSTED, "too many new streams on one connection"
        if not self._arrivals.take(now):
            self._observer.refused("rate")
            return grpc.StatusCode.UNAVAILABLE, "too many new streams at once; come back in a while"
        pairs = context.invocation_metadata() or ()
        metadata = {key: value for key, value in pairs if isinstance(value, str)}
        reason = self._authorize(metadata, peer)
        if reason is None:
            return None
        self._observer.refused("unauthenticated")
        _log.warning("stream refused", extra={"peer": peer, "reason": reason})
        return grpc.StatusCode.UNAUTHENTICATED, reason


def _load_status_service() -> type[StatusService]:
    from .status import StatusService  # noqa: PLC0415 - many servers are never asked, and all would start later

    return StatusService


def _end(context: ServicerContext, ending: Ending) -> None:
    """Say why the stream ends; gRPC sends it once the handler has returned. What is the client's fault is a warning.

    By `abort` gRPC would keep, in a cycle, an exception with all the frames that it went through.
    """
    code, words, node = ending
    level = logging.INFO if code is grpc.StatusCode.UNAVAILABLE else logging.WARNING
    facts = {"node": node, "peer": context.peer(), "status": code.name, "reason": words}
    _log.log(level, "stream ended by us", extra=facts)
    context.set_code(code)
    context.set_details(words)


def _code(error: FairleadError) -> grpc.StatusCode:
    """Return the status that tells the client whether to come back (UNAVAILABLE) or to be repaired first."""
    match error:
        case PeerError() | InvalidInput():
            return grpc.StatusCode.INVALID_ARGUMENT
        case Forbidden():
            return grpc.StatusCode.PERMISSION_DENIED
        case Unavailable():
            return grpc.StatusCode.UNAVAILABLE
        case SlowReader():
            return grpc.StatusCode.DEADLINE_EXCEEDED
        case LimitReached():
            return grpc.StatusCode.RESOURCE_EXHAUSTED
        case _:
            return grpc.StatusCode.INTERNAL
