"""Host calls to other services, and the callbacks by which their answers reach the guest.

Callbacks come to the root context, whichever stream made the call; what they bring is readable only within them. A
number is never used twice; its two lowest bits tell the kind of call, as in Envoy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from xds.proxywasm.abi import Buffer, HeaderMap, Status
from xds.proxywasm.failures import Trapped
from xds.proxywasm.guest import Guest
from xds.proxywasm.memory import MASK
from xds.proxywasm.outbound import GrpcPeer, GrpcRequest, HttpRequest, NoSuchUpstream
from xds.proxywasm.pairs import BadPairs, Pairs, decode

MOST_CALLS: Final = 256
"""Calls under way at once in one machine."""

HTTP, GRPC_CALL, GRPC_STREAM = 0, 1, 2
CANCELLED, DEADLINE_EXCEEDED = 1, 4
_REQUIRED: Final = frozenset({b":method", b":path", b":authority"})
_NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Brought:
    """What a callback may read while it runs, and the status it may ask for."""

    maps: Mapping[HeaderMap, Pairs] = field(default_factory=dict)
    buffers: Mapping[Buffer, bytes] = field(default_factory=dict)
    status: tuple[int, bytes] = (0, b"")


NOTHING: Final = Brought()


class Call:
    """The client's end of one call, for all kinds: `HttpCall` and `GrpcCall` of `outbound`."""

    def __init__(self, calls: OutboundCalls, number: int, root: int) -> None:
        self._calls = calls
        self._number = number
        self._root = root
        self.peer: GrpcPeer | None = None

    def answer(self, headers: Sequence[tuple[bytes, bytes]], body: bytes = b"", trailers: Pairs | None = None) -> None:
        """The response of an HTTP call."""
        content = body[: self._calls.most_bytes]
        maps = {HeaderMap.CALL_HEADERS: list(headers), HeaderMap.CALL_TRAILERS: list(trailers or ())}
        self._end(
            "proxy_on_http_call_response", len(headers), len(content), len(trailers or ()),
            brought=Brought(maps, {Buffer.HTTP_CALL_BODY: content}),
        )  # fmt: skip

    def fail(self) -> None:
        """An HTTP call without a response: the guest sees no headers."""
        self._end("proxy_on_http_call_response", 0, 0, 0)

    def initial_metadata(self, metadata: Pairs) -> None:
        """Headers of a gRPC response."""
        brought = Brought({HeaderMap.GRPC_INITIAL: list(metadata)})
        self._tell("proxy_on_grpc_receive_initial_metadata", len(metadata), brought)

    def message(self, content: bytes) -> None:
        """A message of a gRPC response; of a call it is the end, as in Envoy."""
        brought = Brought(buffers={Buffer.GRPC_MESSAGE: content})
        if self._number & 3 == GRPC_CALL:
            self._end("proxy_on_grpc_receive", len(content), brought=brought)
        else:
            self._tell("proxy_on_grpc_receive", len(content), brought)

    def trailing_metadata(self, metadata: Pairs) -> None:
        """Trailers of a gRPC response."""
        brought = Brought({HeaderMap.GRPC_TRAILING: list(metadata)})
        self._tell("proxy_on_grpc_receive_trailing_metadata", len(metadata), brought)

    def close(self, status: int, message: str = "") -> None:
        """The end of a gRPC call."""
        self._end("proxy_on_grpc_close", status, brought=Brought(status=(status, message.encode())))

    def expire(self) -> None:
        """The time is over."""
        if self.peer is None:
            self.fail()
        else:
            self.peer.cancel()
            self.close(DEADLINE_EXCEEDED, "the time limit of the call is over")

    def _tell(self, name: str, size: int, brought: Brought) -> None:
        def tell() -> None:
            if self._number in self._calls.open:
                self._calls.call_back(self._root, name, (self._number, size), brought)

        self._calls.in_turn(tell)

    def _end(self, name: str, *arguments: int, brought: Brought = NOTHING) -> None:
        def end() -> None:
            if self._calls.forget(self._number):
                self._calls.call_back(self._root, name, (self._number, *arguments), brought)

        self._calls.in_turn(end)


class OutboundCalls:
    """The calls, named as the imports."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._machine = guest.machine
        self._next = 0
        self.open: dict[int, Call] = {}
        self.most_bytes = guest.machine.limits.body_bytes

    def proxy_http_call(  # noqa: PLR0913, PLR0917 - as in the ABI
        self, upstream: int, upstream_size: int, headers: int, headers_size: int, body: int, body_size: int,
        trailers: int, trailers_size: int, timeout_ms: int, out: int,
    ) -> int:  # fmt: skip
        """Starts an HTTP call."""
        read = self._guest.read
        try:
            pairs, trailing = decode(read(headers, headers_size)), decode(read(trailers, trailers_size))
        except BadPairs:
            return Status.BAD_ARGUMENT
        if body_size & MASK > self.most_bytes or not {name for name, _ in pairs} >= _REQUIRED:
            return Status.BAD_ARGUMENT
        request = HttpRequest(read(upstream, upstream_size), pairs, read(body, body_size), trailing, timeout_ms & MASK)
        return self._start(HTTP, request.timeout_ms, out, lambda call: self._machine.host.http(request, call))

    def proxy_grpc_call(  # noqa: PLR0913, PLR0917 - as in the ABI
        self, upstream: int, upstream_size: int, service: int, service_size: int, method: int, method_size: int,
        metadata: int, metadata_size: int, message: int, message_size: int, timeout_ms: int, out: int,
    ) -> int:  # fmt: skip
        """Starts a gRPC call with one message."""
        if message_size & MASK > self.most_bytes:
            return Status.BAD_ARGUMENT
        sizes = (upstream, upstream_size, service, service_size, method, method_size, metadata, metadata_size)
        return self._grpc(GRPC_CALL, sizes, self._guest.read(message, message_size), timeout_ms & MASK, out)

    def proxy_grpc_stream(  # noqa: PLR0913, PLR0917 - as in the ABI
        self, upstream: int, upstream_size: int, service: int, service_size: int, method: int, method_size: int,
        metadata: int, metadata_size: int, out: int,
    ) -> int:  # fmt: skip
        """Opens a gRPC stream."""
        sizes = (upstream, upstream_size, service, service_size, method, method_size, metadata, metadata_size)
        return self._grpc(GRPC_STREAM, sizes, None, 0, out)

    def _grpc(self, kind: int, parts: tuple[int, ...], message: bytes | None, timeout_ms: int, out: int) -> int:
        upstream, service, method, metadata = (self._guest.read(*parts[at : at + 2]) for at in range(0, 8, 2))
        try:
            pairs = decode(metadata)
        except BadPairs:
            return Status.BAD_ARGUMENT
        request = GrpcRequest(upstream, service, method, pairs, message, timeout_ms)

        def start(call: Call) -> None:
            call.peer = self._machine.host.grpc(request, call)

        return self._start(kind, timeout_ms, out, start)

    def _start(self, kind: int, timeout_ms: int, out: int, start: Callable[[Call], None]) -> int:
        if len(self.open) >= MOST_CALLS:
            return Status.INTERNAL_FAILURE
        self._next += 1
        number = self._next << 2 | kind
        self._guest.memory.write_u32(out, number)
        call = self.open[number] = Call(self, number, self._machine.context.root)
        if timeout_ms:
            due = self._machine.host.now_ns() + timeout_ms * _NS_PER_MS
            self._machine.deadlines[number] = (due, call.expire)
        try:
            start(call)
        except NoSuchUpstream:
            self.forget(number)
            return Status.BAD_ARGUMENT
        return Status.OK

    def proxy_grpc_send(self, number: int, message: int, size: int, end: int) -> int:
        """Sends a message on a stream."""
        call = self.open.get(number)
        if call is None or call.peer is None:
            return Status.NOT_FOUND
        if number & 3 != GRPC_STREAM or size & MASK > self.most_bytes:
            return Status.BAD_ARGUMENT
        call.peer.send(self._guest.read(message, size), bool(end))
        return Status.OK

    def proxy_grpc_cancel(self, number: int) -> int:
        """Wants no answer any more."""
        call = self.open.get(number)
        if call is None or call.peer is None:
            return Status.NOT_FOUND
        self.forget(number)
        call.peer.cancel()
        return Status.OK

    def proxy_grpc_close(self, number: int) -> int:
        """Lets go: of a stream, after what was sent; of a call, at once."""
        call = self.open.get(number)
        if call is None or call.peer is None:
            return Status.NOT_FOUND
        if number & 3 == GRPC_CALL:
            return self.proxy_grpc_cancel(number)
        call.peer.close()
        return Status.OK

    def in_turn(self, action: Callable[[], None]) -> None:
        """Does something when the guest is not running; a guest that fails then tells whoever calls it next."""

        def safely() -> None:
            with suppress(Trapped):  # the machine keeps the reason
                action()

        self._machine.defer(safely)

    def forget(self, number: int) -> bool:
        """The call is over; False where it was over before."""
        self._machine.deadlines.pop(number, None)
        return self.open.pop(number, None) is not None

    def call_back(self, root: int, name: str, arguments: tuple[int, ...], brought: Brought) -> None:
        """Calls the root back, with what the callback may read."""
        context = self._machine.contexts.get(root)
        if context is None:
            return
        context.maps.update(brought.maps)
        context.buffers.update(brought.buffers)
        context.status = brought.status
        try:
            self._machine.run(root, name, *arguments)
        finally:
            for number in brought.maps:
                del context.maps[number]
            for buffer in brought.buffers:
                del context.buffers[buffer]
