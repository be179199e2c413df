"""The API on a socket, inside an event loop that belongs to somebody else.

The socket is ours and exclusive: a second control plane on the same port is told so, instead of sharing it without a
word. Signals are the business of whoever owns the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Generator

import uvicorn

from xds.api.app import create_app
from xds.api.connection import PunctualProtocol
from xds.api.ports import Telemetry
from xds.api.settings import ApiSettings
from xds.control.plane import ControlPlane
from xds.model.instance import Address
from xds.model.problems import InvalidInput, Unavailable

BACKLOG = 2048
GRACE = 5


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket that nobody else can share; port 0 takes a free one.

    Unavailable (code `port_in_use`) names the port that is taken, InvalidInput an address that this machine lacks.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, OverflowError, UnicodeError) as error:
        raise InvalidInput(f"the API cannot listen on {host!r}, port {port}: {error}", pointer="/host") from error
    opened = socket.socket(family, kind, protocol)
    try:
        # Only lets a restarted process have the port back while old connections linger; never two listeners at once.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(address)
        opened.listen(BACKLOG)
        opened.setblocking(False)
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE:
            raise Unavailable(
                f"port {port} on {host} is in use by another program: stop it, or choose another port for the API",
                pointer="/port",
                code="port_in_use",
            ) from error
        if error.errno == errno.EACCES:
            raise InvalidInput(
                f"port {port} may only be opened by root: choose one above 1023", pointer="/port"
            ) from error
        raise InvalidInput(
            f"the API cannot listen on {host}, port {port}: {error.strerror}", pointer="/host"
        ) from error
    return opened


class _Server(uvicorn.Server):
    """A server that leaves the process's signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none."""
        yield


class ApiServer:
    """Serves a control plane over HTTP: `bind`, `serve` until `stop`."""

    def __init__(self, plane: ControlPlane, settings: ApiSettings, telemetry: Telemetry) -> None:
        """Make the application; no socket is opened before `bind`."""
        self.app = create_app(plane, settings, telemetry)
        self._settings = settings
        self._socket: socket.socket | None = None
        self._ended = asyncio.Event()
        self._server = _Server(
            uvicorn.Config(
                self.app,
                http=PunctualProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=GRACE,
                backlog=BACKLOG,
            )
        )

    async def bind(self) -> Address:
        """Open the port and return where it is; nothing is accepted before `serve`. Errors: those of `listen`."""
        self._socket = listen(self._settings.host, self._settings.port)
        name = self._socket.getsockname()
        return Address(name[0], name[1])

    async def serve(self) -> None:
        """Serve until `stop`, then let requests in progress finish for a few seconds."""
        if self._socket is None:
            await self.bind()
        self._ended.clear()
        try:
            await self._server.serve(sockets=[self._socket] if self._socket is not None else [])
        finally:
            self.close()
            self._ended.set()

    async def stop(self) -> None:
        """Accept nothing more and return once `serve` has come to its end."""
        self.app.state.stopping = True
        self._server.should_exit = True
        if self._server.started:
            await self._ended.wait()
        self.close()

    def close(self) -> None:
        """Give the port back."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
