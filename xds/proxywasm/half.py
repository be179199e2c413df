"""One direction of a stream on its way through a filter: headers, body and trailers, held and let go.

The rules are Envoy's. A filter that pauses on headers sees nothing more of this direction until it goes on (or, where
the host is told so, still sees the body). One that pauses on a body has what came so far held, and is shown all of it
with the next part. Held bytes are bounded. Knows nothing of the other direction, nor of replies.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from xds.proxywasm.abi import Action, Buffer, HeaderMap
from xds.proxywasm.contexts import Context
from xds.proxywasm.pairs import Pairs


@dataclass(frozen=True, slots=True)
class Form:
    """Names of one direction in the ABI."""

    name: str
    headers: HeaderMap
    trailers: HeaderMap
    body: Buffer


REQUEST = Form("request", HeaderMap.REQUEST_HEADERS, HeaderMap.REQUEST_TRAILERS, Buffer.REQUEST_BODY)
RESPONSE = Form("response", HeaderMap.RESPONSE_HEADERS, HeaderMap.RESPONSE_TRAILERS, Buffer.RESPONSE_BODY)


@dataclass(slots=True)
class Message:
    """What has left the filter so far. `headers` is None until they have; `ended` says that nothing will follow."""

    headers: Pairs | None = None
    body: bytearray = field(default_factory=bytearray)
    trailers: Pairs | None = None
    ended: bool = False

    def take_body(self) -> bytes:
        """The body that has left since the last time."""
        taken = bytes(self.body)
        self.body.clear()
        return taken


@dataclass(frozen=True, slots=True)
class Part:
    """Something that arrives: exactly one of the three, and whether it is the last."""

    headers: Pairs | None = None
    body: bytes | None = None
    trailers: Pairs | None = None
    end: bool = False


Callback = Callable[..., None]
"""Name of the export, its arguments, and `then`: calls the guest in the stream's context."""


class Half:
    """The state of one direction. `call` enters the guest; `overflow` is called when too much would be held."""

    def __init__(  # noqa: PLR0913 - one keyword each for what the plugin's settings say
        self, form: Form, context: Context, call: Callback, overflow: Callable[[], None], *, most: int, sees_body: bool
    ) -> None:
        self.sent = Message()
        self.arrived: Pairs | None = None
        self._form = form
        self._context = context
        self._call = call
        self._overflow = overflow
        self._most = most
        self._sees_body = sees_body
        self._waiting: deque[Part] = deque()
        self._waiting_bytes = 0
        self._headers: Pairs | None = None
        self._held: bytearray | None = None
        self._trailers: Pairs | None = None
        self._end = False
        self._blocked = False
        self._closed = False
        self._pumping = False

    @property
    def begun(self) -> bool:
        """Whether headers have arrived."""
        return self.arrived is not None

    @property
    def paused(self) -> bool:
        """Whether something has arrived and does not go on."""
        return not self._closed and (
            self._blocked or self._headers is not None or self._held is not None or self._trailers is not None
        )

    def feed(self, part: Part) -> None:
        """Something arrives."""
        if self._closed:
            return
        if part.headers is not None and self.arrived is None:
            self.arrived = part.headers
        self._waiting.append(part)
        self._waiting_bytes += len(part.body or b"")
        if self._waiting_bytes > self._most:
            self._overflow()
            return
        self.pump()

    def pump(self) -> None:
        """Shows the guest what waits, as far as it lets it."""
        if self._pumping:
            return
        self._pumping = True
        try:
            while self._waiting and not self._blocked and not self._closed:
                part = self._waiting.popleft()
                self._waiting_bytes -= len(part.body or b"")
                self._end = part.end
                if part.headers is not None:
                    self._on_headers(part.headers)
                elif part.body is not None:
                    self._on_body(part.body)
                else:
                    self._on_trailers(part.trailers or [])
        finally:
            self._pumping = False

    def close(self) -> None:
        """Nothing more goes through: the stream was answered, reset, or is over."""
        self._closed = True
        self._waiting.clear()
        self._take_away()

    def pass_through(self) -> None:
        """Lets everything go on without the guest, which has failed."""
        self._call = lambda *_, then: then(Action.CONTINUE)
        self.resume()

    def resume(self) -> None:
        """Lets go of what is held, and shows the guest what came meanwhile."""
        if self._closed:
            return
        self._blocked = False
        self._release()
        self.pump()

    def _on_headers(self, headers: Pairs) -> None:
        self._headers = self._context.maps[self._form.headers] = headers

        def then(action: int) -> None:
            if self._stays(action):
                self._blocked = not self._sees_body or self._end
            else:
                self._release()

        self._call(f"proxy_on_{self._form.name}_headers", len(headers), int(self._end), then=then)

    def _on_body(self, body: bytes) -> None:
        if self._held is None:
            self._held = bytearray(body)
        else:
            self._held += body
        held = self._context.buffers[self._form.body] = self._held

        def then(action: int) -> None:
            if not self._stays(action):
                self._release()
            elif self._end:
                self._blocked = True

        self._call(f"proxy_on_{self._form.name}_body", len(held), int(self._end), then=then)
        if self.paused and len(held) > self._most:
            self._overflow()

    def _on_trailers(self, trailers: Pairs) -> None:
        self._end = True
        self._trailers = self._context.maps[self._form.trailers] = trailers

        def then(action: int) -> None:
            if self._stays(action):
                self._blocked = True
            else:
                self._release()

        self._call(f"proxy_on_{self._form.name}_trailers", len(trailers), then=then)

    def _stays(self, action: int) -> bool:
        """Once the guest has answered or reset, what it returns counts no more."""
        return self._context.stopping or action != Action.CONTINUE

    def _release(self) -> None:
        if self._headers is not None:
            self.sent.headers = self._headers
        if self._held is not None:
            self.sent.body += self._held
        if self._trailers is not None:
            self.sent.trailers = self._trailers
        self._take_away()
        self.sent.ended = self._end

    def _take_away(self) -> None:
        """Takes from the guest what it may only read in its callback or while it pauses."""
        self._headers = self._held = self._trailers = None
        self._context.maps.pop(self._form.headers, None)
        self._context.maps.pop(self._form.trailers, None)
        self._context.buffers.pop(self._form.body, None)
