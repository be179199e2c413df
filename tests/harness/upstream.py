"""A program: the applications behind the mesh, as many as are named, each on a port of its own.

`python upstream.py v1:8081 bad+v2:8082 tcp+v3:8083 mute+v4:8084@0.0.0.0`, on 127.0.0.1 where no place is named. An HTTP
application answers every request with its version and with the bucket headers that reached it, a bad one with status
500; a TCP one greets every connection with its version and echoes what it gets; a mute one accepts connections and
says nothing. Standard library only, so that it is up at once.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable

END = b"\r\n\r\n"
BUCKET = b"x-fairlead-bucket:"


class Http(asyncio.Protocol):
    """One connection: requests without bodies, answered in order."""

    def __init__(self, version: str, status: bytes = b"200 OK") -> None:
        self._version = version.encode()
        self._status = status
        self._unread = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *heads, self._unread = (self._unread + data).split(END)
        if self._transport is not None:
            self._transport.write(b"".join(map(self._answer, heads)))

    def _answer(self, head: bytes) -> bytes:
        lines = head.split(b"\r\n")
        buckets = [line[len(BUCKET) :].strip() for line in lines[1:] if line.lower().startswith(BUCKET)]
        seen = b"|".join(buckets)
        path = lines[0].split(b" ")[1]
        return b"HTTP/1.1 %s\r\nx-version: %s\r\nx-saw-bucket: %s\r\nx-saw-path: %s\r\ncontent-length: 2\r\n\r\nok" % (
            self._status,
            self._version,
            seen,
            path,
        )


class Tcp(asyncio.Protocol):
    """One connection: a greeting, then an echo."""

    def __init__(self, version: str) -> None:
        self._version = version.encode()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._version + b"\n")

    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


KINDS: dict[str, Callable[[str], asyncio.Protocol]] = {
    "": Http,
    "bad": lambda version: Http(version, b"500 Internal Server Error"),
    "tcp": Tcp,
    "mute": lambda _: asyncio.Protocol(),
}


async def serve(words: list[str]) -> None:
    """Serve everything that `words` name until SIGTERM."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    for word in words:
        name, _, place = word.rpartition(":")
        port, _, address = place.partition("@")
        kind, _, version = name.rpartition("+")
        make = KINDS[kind]
        await loop.create_server(lambda make=make, version=version: make(version), address or "127.0.0.1", int(port))  # type: ignore[misc]  # mypy does not infer lambdas with defaults
    sys.stdout.write("up\n")
    sys.stdout.flush()
    await stopped.wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1:]))
