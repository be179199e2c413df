"""The service that the demo moves users between: it says which version it is and which user it saw.

One small HTTP/1.1 server on an asyncio protocol, because four Envoys, a control plane and the load share the machine
with it. It reads GET requests without bodies and knows nothing of Fairlead: any program could stand in its place.
SIGUSR1 makes it sick: it answers 500 from then on. SIGUSR2 makes it well again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from dataclasses import dataclass, field

_END = b"\r\n\r\n"
_LARGEST_HEAD = 64 * 1024


@dataclass(slots=True)
class Application:
    """What all connections share: which version answers, with which status, and which of them are open."""

    version: str
    status: int
    connections: set[Answers] = field(default_factory=set)

    def answer_with(self, status: int) -> None:
        """Answer every request with `status` from now on."""
        self.status = status


class Answers(asyncio.Protocol):
    """One connection. Requests are answered in their order, as they arrive."""

    def __init__(self, application: Application) -> None:
        """Answer for `application`."""
        self._application = application
        self._unread = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            self._application.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        del exc
        self._application.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """Answer each request whose head is complete; a head beyond 64 KiB ends the connection."""
        *heads, self._unread = (self._unread + data).split(_END)
        if self._transport is None or len(self._unread) > _LARGEST_HEAD:
            self.close()
            return
        if heads:
            self._transport.write(b"".join(self.answer(head) for head in heads))

    def answer(self, head: bytes) -> bytes:
        """Return the whole response to the request with this head."""
        target, user = b"/", b""
        for at, line in enumerate(head.split(b"\r\n")):
            if at == 0:
                target = line.split(b" ")[1] if line.count(b" ") == 2 else b"/"
            elif line[:7].lower() == b"x-user:":
                user = line[7:].strip()
        version, status = self._application.version, self._application.status
        said = {"version": version, "user": user.decode("latin-1"), "path": target.decode("latin-1")}
        body = json.dumps(said).encode()
        return b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\nx-version: %s\r\ncontent-length: %d\r\n\r\n%s" % (
            status,
            b"OK" if status < 400 else b"Broken",
            version.encode(),
            len(body),
            body,
        )

    def close(self) -> None:
        """End the connection after what was written has been sent."""
        if self._transport is not None:
            self._transport.close()


async def serve(version: str, port: int, status: int) -> None:
    """Serve on 127.0.0.1:`port` until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    application = Application(version, status)
    loop.add_signal_handler(signal.SIGUSR1, application.answer_with, 500)
    loop.add_signal_handler(signal.SIGUSR2, application.answer_with, 200)
    server = await loop.create_server(lambda: Answers(application), "127.0.0.1", port)
    print(f"{version} listens on 127.0.0.1:{port}", flush=True)  # noqa: T201 - the program's log
    await stopped.wait()
    server.close()
    for connection in tuple(application.connections):
        connection.close()
    await server.wait_closed()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--version", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--status", type=int, default=200, help="answer everything with this status")
    given = parser.parse_args()
    asyncio.run(serve(given.version, given.port, given.status))


if __name__ == "__main__":
    main()
