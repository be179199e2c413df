"""One request and its response through the filter, by Envoy's messages about them.

Envoy tells less than its Wasm filter would see. What is told late is put where the filter looks for it (flags, code,
attempts: with the response's headers), what is never told is derived: how long the upstream took, and that a client
has left when the stream ends before any response, since every other failure has one, Envoy's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from xds.extproc.messages import Arrived, Part, answer_instead, go_on
from xds.model.problems import PeerError
from xds.proxywasm.half import Half
from xds.proxywasm.pairs import Pairs
from xds.proxywasm.plugin import Plugin
from xds.proxywasm.properties import encoded, value_of
from xds.proxywasm.stream import FAILED, Stream

CLIENT_LEFT: Final = 1 << 14
"""Envoy's response flag DC."""
SERVICE_TIME: Final = b"x-envoy-upstream-service-time"
"""Milliseconds until the upstream's headers, as Envoy measured them."""

_FLAGS: Final = b"response\0flags"
_LATENCY: Final = b"response\0backend_latency"
_NS_PER_MS: Final = 1_000_000


class FilterFailed(Exception):
    """The filter's machine has failed; Envoy's `failure_mode_allow` says what becomes of the request."""


class Exchange:
    """What happens to one request. Begin it with the first message, `end` it whatever happens.

    `answered` says whether there was a response, the upstream's or the filter's own.
    """

    def __init__(self, plugin: Plugin, now_ns: Callable[[], int]) -> None:
        self._plugin = plugin
        self._now_ns = now_ns
        self._stream: Stream | None = None
        self._sent_ns = 0
        self.answered = False

    def receive(self, message: Arrived) -> bytes:
        """Return the answer to a message. Raises PeerError for one out of order, FilterFailed."""
        if message.part is Part.REQUEST_HEADERS:
            return self._request(message)
        if self._stream is None:
            raise PeerError("a request begins with its headers: request_header_mode has to be SEND")
        stream = self._stream
        self._stream.properties.update(message.properties)
        match message.part:
            case Part.RESPONSE_HEADERS:
                self.answered = True
                self._measure(stream, message.pairs)
                stream.response_headers(message.pairs, end=message.end)
                return self._answer(message.part, message.pairs, stream.response)
            case Part.RESPONSE_TRAILERS:
                stream.response_trailers(message.pairs)
                return self._answer(message.part, message.pairs, stream.response)
            case Part.REQUEST_TRAILERS:
                stream.request_trailers(message.pairs)
                return self._answer(message.part, message.pairs, stream.request)
            case _:
                # Bodies are nobody's business here; an Envoy that sends them all the same must not wait.
                return go_on(message.part, [], [], clear_route=False)

    def _request(self, message: Arrived) -> bytes:
        if self._stream is not None:
            raise PeerError("a second request on the same stream")
        stream = self._stream = self._plugin.stream()
        stream.properties.update(message.properties)
        stream.request_headers(message.pairs, end=message.end)
        answer = self._answer(message.part, message.pairs, stream.request)
        self._sent_ns = self._now_ns()
        return answer

    def _answer(self, part: Part, before: Pairs, half: Half) -> bytes:
        stream = self._stream
        assert stream is not None  # noqa: S101 - its caller has it
        if stream.local_reply is FAILED:
            raise FilterFailed(self._plugin.machine.failed)
        if stream.local_reply is not None:
            self.answered = True
            return answer_instead(stream.local_reply)
        if stream.was_reset or half.paused:
            raise FilterFailed("the filter pauses or resets a request, which ext_proc cannot do for it")
        is_trailers = part in {Part.REQUEST_TRAILERS, Part.RESPONSE_TRAILERS}
        after = (half.sent.trailers if is_trailers else half.sent.headers) or []
        return go_on(part, before, after, clear_route=stream.route_cleared)

    def _measure(self, stream: Stream, headers: Pairs) -> None:
        told = value_of(headers, SERVICE_TIME) or b""
        taken = int(told) * _NS_PER_MS if told.isdigit() else max(self._now_ns() - self._sent_ns, 0)
        stream.properties.setdefault(_LATENCY, encoded(taken))

    def end(self) -> None:
        """The stream is over, and so is the request as far as anybody will tell."""
        if self._stream is None:
            return
        if not self.answered:
            self._stream.properties[_FLAGS] = encoded(CLIENT_LEFT)
        self._stream.finish()
