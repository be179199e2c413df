"""An HTTP stream through a filter: its callbacks in Envoy's order, and what the filter makes of it.

Feed it what arrives, in any pieces; each call says what has left so far, whether something is held, and whether the
filter answered by itself. Time passes only in the clock that the plugin was given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Final, Self

from xds.proxywasm.abi import HeaderMap, StreamType
from xds.proxywasm.contexts import Context, LocalReply
from xds.proxywasm.failures import Trapped
from xds.proxywasm.half import REQUEST, RESPONSE, Half, Message, Part
from xds.proxywasm.machine import Machine
from xds.proxywasm.pairs import Pairs
from xds.proxywasm.properties import Value, encoded, encoded_all, of_request, of_response
from xds.proxywasm.replies import headers_of, is_grpc

FAILED: Final = LocalReply(503, details="wasm_fail_stream")
"""The answer to the streams of a machine that has failed."""

TOO_LARGE: Final = {
    StreamType.REQUEST: LocalReply(413, b"Payload Too Large", details="request_payload_too_large"),
    StreamType.RESPONSE: LocalReply(500, b"Internal Server Error", details="response_payload_too_large"),
}


class OnFailure(Enum):
    """What becomes of streams when the machine has failed: the policies of Envoy, and raising for those who test.

    RAISE Trapped reaches the caller · CLOSED 503 · OPEN they go on as if there were no filter · RELOAD 503, and the
    next stream starts a new machine.
    """

    RAISE = "raise"
    CLOSED = "closed"
    OPEN = "open"
    RELOAD = "reload"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where one direction stands: what has left the filter, whether something is held, how the filter ended it."""

    message: Message
    paused: bool
    reply: LocalReply | None
    reset: bool

    @property
    def headers(self) -> Pairs:
        """The headers as the filter left them; none while they are held."""
        return self.message.headers or []


class Stream:
    """One request with its response. Made by `Plugin.stream`; `finish` it, or use it as a context manager."""

    def __init__(  # noqa: PLR0913 - `Plugin.stream` alone calls it
        self,
        machine: Machine,
        version: str,
        root: int,
        everywhere: Mapping[bytes, bytes],
        *,
        on_failure: OnFailure,
        sees_body: bool,
    ) -> None:
        self.properties: MutableMapping[bytes, bytes] = {}
        self.local_reply: LocalReply | None = None
        self.was_reset = False
        self.context = Context(root, self, self._find)
        self._machine = machine
        self._version = version
        self._everywhere = everywhere
        self._on_failure = on_failure
        self._opened_ns = machine.host.now_ns()
        self._sizes = {REQUEST.name: 0, RESPONSE.name: 0}
        self._created = self._finished = False
        most = machine.limits.body_bytes
        self.id = machine.open(self.context)
        self.request = Half(
            REQUEST, self.context, self._call, self._overflow(StreamType.REQUEST), most=most, sees_body=sees_body
        )
        self.response = Half(
            RESPONSE, self.context, self._call, self._overflow(StreamType.RESPONSE), most=most, sees_body=sees_body
        )
        if machine.failed:
            self.broken()

    def set(self, properties: Mapping[str, Value]) -> None:
        """Sets properties from now on, by paths with dots: `set({"response.flags": 4})`."""
        self.properties.update(encoded_all(properties))

    @property
    def route_cleared(self) -> bool:
        """Whether the filter made Envoy choose the route again: by a changed request header, or by a call."""
        return self.context.route_cleared

    def request_headers(self, headers: Iterable[tuple[bytes, bytes]], *, end: bool = False) -> Outcome:
        """Headers of the request; `end` says that no body or trailers follow."""
        return self._feed(self.request, Part(headers=_lowered(headers), end=end))

    def request_body(self, body: bytes, *, end: bool = False) -> Outcome:
        """A piece of the request's body."""
        return self._feed(self.request, Part(body=body, end=end))

    def request_trailers(self, trailers: Iterable[tuple[bytes, bytes]]) -> Outcome:
        """Trailers of the request, which end it."""
        return self._feed(self.request, Part(trailers=_lowered(trailers), end=True))

    def response_headers(self, headers: Iterable[tuple[bytes, bytes]], *, end: bool = False) -> Outcome:
        """Headers of the upstream's response. Ignored where the filter has answered itself."""
        return self._feed(self.response, Part(headers=_lowered(headers), end=end))

    def response_body(self, body: bytes, *, end: bool = False) -> Outcome:
        """A piece of the response's body."""
        return self._feed(self.response, Part(body=body, end=end))

    def response_trailers(self, trailers: Iterable[tuple[bytes, bytes]]) -> Outcome:
        """Trailers of the response, which end it."""
        return self._feed(self.response, Part(trailers=_lowered(trailers), end=True))

    def _feed(self, half: Half, part: Part) -> Outcome:
        if half is self.request or self.local_reply is None:
            self._sizes[REQUEST.name if half is self.request else RESPONSE.name] += len(part.body or b"")
            half.feed(part)
        return self.outcome(half)

    def outcome(self, half: Half) -> Outcome:
        """Where a direction stands now; ask again after a call was answered or time has passed."""
        return Outcome(half.sent, half.paused, self.local_reply, self.was_reset)

    def finish(self, properties: Mapping[str, Value] | None = None) -> None:
        """Logs and deletes the stream; `properties` are set before. A second call does nothing.

        Without any request before it is what Envoy does for a stream that an earlier filter answered: the filter sees
        its creation and its end only.
        """
        if self._finished:
            return
        self._finished = True
        self.set(properties or {})
        for half in (self.request, self.response):
            half.close()
        self.context.logging, self.context.stopping = True, False
        arrived = {
            HeaderMap.REQUEST_HEADERS: self.request.arrived,
            HeaderMap.REQUEST_TRAILERS: self.request.sent.trailers,
            HeaderMap.RESPONSE_HEADERS: self.response.sent.headers or self.response.arrived,
            HeaderMap.RESPONSE_TRAILERS: self.response.sent.trailers,
        }
        self.context.maps.update({number: pairs for number, pairs in arrived.items() if pairs is not None})
        try:
            for name in ("proxy_on_log", "proxy_on_done", "proxy_on_delete"):
                self._call(name)
        finally:
            self._machine.contexts.pop(self.id, None)

    def _call(self, name: str, *arguments: int, then: Callable[[int], None] | None = None) -> None:
        """Enters the guest in this stream's context; a failure is for `broken`, unless it is to be raised."""
        if self._version == "0.1.0" and name.endswith("_headers"):
            arguments = arguments[:1]
        try:
            if not self._created:
                self._created = True
                self._machine.run(self.id, "proxy_on_context_create", self.context.root)
            self._machine.run(self.id, name, *arguments, then=then)
        except Trapped:
            if self._on_failure is OnFailure.RAISE:
                raise

    def broken(self) -> None:
        """The machine has failed; does what the policy says, without the guest."""
        if self._on_failure is OnFailure.RAISE or self._finished:
            return
        if self._on_failure is OnFailure.OPEN:
            self.request.pass_through()
            self.response.pass_through()
        elif self.local_reply is None or self.response.paused:
            self._answer_directly(FAILED)

    def resume(self, kind: StreamType) -> None:
        """The filter goes on with a direction."""
        if kind is StreamType.REQUEST:
            self.request.resume()
        elif kind is StreamType.RESPONSE:
            self.response.resume()

    def reset(self, kind: StreamType) -> None:  # noqa: ARG002 - either direction ends both
        """The filter ends the stream without an answer."""
        self.was_reset = True
        self.request.close()
        self.response.close()

    def reply(self, answer: LocalReply) -> None:
        """The filter answers: before the response, through its own response callbacks; later, past them."""
        self.context.stopping = False
        if self.local_reply is not None:
            self.response.resume()
        elif self.response.sent.headers is not None:
            self.reset(StreamType.RESPONSE)
        elif self.response.begun:
            self._answer_directly(answer)
        else:
            self.local_reply = answer
            self.request.close()
            headers, body = headers_of(answer, grpc=is_grpc(self.request.arrived or []))
            self.response.feed(Part(headers=headers, end=not body))
            if body:
                self.response.feed(Part(body=body, end=True))

    def _answer_directly(self, answer: LocalReply) -> None:
        self.request.close()
        self.response.close()
        if self.response.sent.headers is not None:
            self.was_reset = True
            return
        self.local_reply = answer
        headers, body = headers_of(answer, grpc=is_grpc(self.request.arrived or []))
        self.response.sent = Message(headers, bytearray(body), ended=True)

    def _overflow(self, kind: StreamType) -> Callable[[], None]:
        return lambda: self.reply(TOO_LARGE[kind])

    def _find(self, path: bytes) -> bytes | None:
        found = self.properties.get(path)
        if found is None:
            found = self._everywhere.get(path)
        if found is not None:
            return found
        first, _, rest = path.partition(b"\0")
        if first == b"request":
            return self._of_times(rest) or of_request(rest, self.request.arrived or [])
        if first == b"response":
            if rest == b"size" and self.context.logging:
                return encoded(self._sizes[RESPONSE.name])
            headers = self.response.sent.headers or self.response.arrived or []
            trailers = self.response.sent.trailers or []
            return of_response(rest, headers, trailers, logging=self.context.logging)
        return None

    def _of_times(self, part: bytes) -> bytes | None:
        if part == b"time":
            return encoded(self._opened_ns)
        if not self.context.logging:
            return None
        if part == b"duration":
            return encoded(self._machine.host.now_ns() - self._opened_ns)
        return encoded(self._sizes[REQUEST.name]) if part == b"size" else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()


def _lowered(headers: Iterable[tuple[bytes, bytes]]) -> Pairs:
    return [(name.lower(), value) for name, value in headers]
