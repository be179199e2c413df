"""The door that reporting streams come in by: who may, how long, and with which status they end.

One stream's failure ends one stream. Knows nothing of what is reported.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from typing import Protocol

import grpc
import grpc.aio

from xds.model.problems import PeerError
from xds.wire.errors import DecodeError

_log = logging.getLogger("xds.telemetry")

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


Converse = Callable[[Call], Coroutine[object, object, None]]
"""One stream from its first message to its end. Raises PeerError or DecodeError for what the client did wrong."""


class Door:
    """Lets streams in until it is closed.

    `streams` are those that are open by service, `refused` those that were turned away or ended for the client's fault.
    """

    def __init__(self, authorize: Authorize) -> None:
        self._authorize = authorize
        self._closing = asyncio.Event()
        self.streams: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    def close(self) -> None:
        """End every stream with UNAVAILABLE, so that the client comes back, here or elsewhere; let no other in."""
        self._closing.set()

    async def admit(self, call: Call, service: str, converse: Converse) -> None:
        """Run one stream of `service` to its end."""
        metadata = {key: value for key, value in call.invocation_metadata() or () if isinstance(value, str)}
        reason = self._authorize(metadata, call.peer())
        if reason is not None:
            await self._refuse(call, service, grpc.StatusCode.UNAUTHENTICATED, reason)
        self.streams[service] += 1
        try:
            await self._until_closed(converse(call))
        except (PeerError, DecodeError) as error:
            await self._refuse(call, service, grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except grpc.aio.InternalError:
            _log.info("client gone", extra={"service": service, "peer": call.peer()})
        except Exception:  # noqa: BLE001 - one stream's failure ends one stream, whatever it is; it is logged whole
            _log.exception("stream failed", extra={"service": service, "peer": call.peer()})
            await call.abort(grpc.StatusCode.INTERNAL, "the control plane failed")
        finally:
            self.streams[service] -= 1
        if self._closing.is_set():
            await call.abort(grpc.StatusCode.UNAVAILABLE, "the control plane is shutting down; reconnect")

    async def _until_closed(self, conversation: Coroutine[object, object, None]) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                talking, closing = tasks.create_task(conversation), tasks.create_task(self._closing.wait())
                await asyncio.wait((talking, closing), return_when=asyncio.FIRST_COMPLETED)
                talking.cancel()
                closing.cancel()
        except ExceptionGroup as group:
            raise _reason(group) from None

    async def _refuse(self, call: Call, service: str, code: grpc.StatusCode, words: str) -> None:
        self.refused[service] += 1
        _log.warning("reports refused", extra={"service": service, "peer": call.peer(), "reason": words})
        await call.abort(code, words)


def _reason(error: Exception) -> Exception:
    """Return the first error that is no group: a task failed and took the others along, maybe two levels down."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
