"""The little application of docker-compose.envoy.yml: it says its VERSION, and stops without losing a request.

It listens on loopback only, so that its sidecar is the one way in.
"""

from __future__ import annotations

import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

PLACE: Final = ("127.0.0.1", 8080)
LINGER_S: Final = 1.0
"""It serves for so long after SIGTERM: every Envoy has heard by then that it leaves."""


class Hello(BaseHTTPRequestHandler):
    """Answers every GET with the version; connections stay open."""

    protocol_version = "HTTP/1.1"
    wbufsize = 4096  # head and body leave together: a process that is killed leaves no half of an answer
    version = os.environ.get("VERSION", "v1")

    def do_GET(self) -> None:
        """Say hello."""
        body = f"hello from {self.version}\n".encode()
        head = {"content-type": "text/plain", "content-length": str(len(body)), "x-version": self.version}
        self.send_response(200)
        for name, value in head.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Say nothing of each request: Envoy counts them."""


def serve() -> None:
    """Serve until SIGTERM, and LINGER_S longer."""
    with ThreadingHTTPServer(PLACE, Hello) as server:
        signal.signal(signal.SIGTERM, lambda *_: threading.Timer(LINGER_S, server.shutdown).start())
        server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    serve()
