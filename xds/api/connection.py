"""One HTTP connection: uvicorn's protocol with a deadline for the head of a request, and problem documents for noise.

uvicorn waits for ever for the rest of a header that began; a client that sends one byte a minute would keep its
connection and its file descriptor (fault A5).
"""

from __future__ import annotations

import asyncio
import json
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from xds.api import problem_document

HEAD_DEADLINE: Final = 5.0
WRITE_DEADLINE = 30.0  # seconds for which a client may take nothing of its answer


class PunctualProtocol(H11Protocol):
    """Closes a connection whose request line and headers are not complete after HEAD_DEADLINE seconds.

    One that takes nothing of its answer for WRITE_DEADLINE seconds is cut off: what waits for it is memory of ours.
    """

    _head: asyncio.TimerHandle | None = None
    _write: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to wait for the other side to take something."""
        super().pause_writing()
        self._write = self._write or self.loop.call_later(WRITE_DEADLINE, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop waiting for it."""
        if self._write is not None:
            self._write.cancel()
            self._write = None
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Hand the bytes on, and see whether the head is complete."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._head is None and not self.transport.is_closing():
            self._wait_for_head()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP in the shape of every other error."""
        content = json.dumps(problem_document.of_status(400, msg, code="broken_http")).encode()
        self._answer(400, content)

    def _wait_for_head(self) -> None:
        self._head = self.loop.call_later(HEAD_DEADLINE, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _too_slow(self) -> None:
        self._head = None
        if self.transport.is_closing() or self.conn.their_state is not h11.IDLE:
            return
        detail = f"the request's head was not complete after {HEAD_DEADLINE:g} s"
        self._answer(408, json.dumps(problem_document.of_status(408, detail, code="too_slow")).encode())

    def _answer(self, status: int, content: bytes) -> None:
        """Write a last response, where HTTP still allows one, and close."""
        headers = [
            (b"content-type", problem_document.MEDIA_TYPE.encode()),
            (b"content-length", str(len(content)).encode()),
            (b"connection", b"close"),
        ]
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            for event in (
                h11.Response(status_code=status, headers=headers),
                h11.Data(data=content),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
