"""The guarded dialer: a name is resolved once, every address is vetted, and the vetted one is what is connected to.

So a name that answers otherwise the second time changes nothing. There are no redirects here, because nothing above
bytes is known, and no proxies, because the environment is not read. The caller brings the deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from xds.net.targets import BlockedTarget, Targets

RESOLVERS: Final = 4
"""Names that are looked up at once: a name server that is down holds up these threads, and nobody else's."""
READ_AHEAD: Final = 4096
"""Bytes that a peer can make us hold before anybody asked for them, twice over."""

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?\Z")

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the addresses of a name; raises OSError."""
Connect = Callable[[socket.socket, tuple[str, int]], Awaitable[None]]
"""Connects a socket to an address and a port; raises OSError."""


@dataclass(frozen=True, slots=True)
class Connection:
    """An open connection, and the address that it goes to."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    address: str


class Dialer:
    """Opens connections to where `targets` allows them. `resolve` and `connect` are the system's unless given."""

    def __init__(self, targets: Targets, *, resolve: Resolve | None = None, connect: Connect | None = None) -> None:
        """Start with no connection; threads for names start with the first name."""
        self._targets = targets
        self._pool = ThreadPoolExecutor(RESOLVERS, thread_name_prefix="fairlead-names")
        self._resolve = resolve or self._look_up
        self._connect = connect or _connect

    @contextlib.asynccontextmanager
    async def dial(self, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Connection]:
        """Hold a connection to `host` (a name or an address) while the block runs; it is aborted at the end.

        Raises BlockedTarget before anything is sent, OSError (also for TLS) when it cannot be reached. A name is
        refused when any of its addresses is: who mixes them has something in mind.
        """
        addresses = await self._vetted(host, port)
        last: OSError | None = None
        for address in addresses:
            opened = socket.socket(_family(address), socket.SOCK_STREAM)
            try:
                opened.setblocking(False)
                await self._connect(opened, (address, port))
            except OSError as error:
                opened.close()
                last = error
                continue
            except BaseException:
                opened.close()
                raise
            async with _streams(opened, host if tls else None, tls) as (reader, writer):
                yield Connection(reader, writer, address)
            return
        raise last or OSError(errno.EHOSTUNREACH, f"{host[:64]} has no address")

    def close(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _vetted(self, host: str, port: int) -> Sequence[str]:
        if not _is_address(host) and not _NAME.match(host):
            raise BlockedTarget(f"{host[:64]!r} is neither an address nor a name")
        addresses: Sequence[str] = [host] if _is_address(host) else await self._resolve(host, port)
        for address in addresses:
            self._targets.check(address)
            if port in self._targets.own_ports and _is_here(address):
                raise BlockedTarget(f"{address} port {port} is not called: it is this control plane's own")
        return addresses

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        def work() -> list[str]:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            return list(dict.fromkeys(str(where[0]) for *_, where in found))

        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


async def _connect(opened: socket.socket, address: tuple[str, int]) -> None:
    await asyncio.get_running_loop().sock_connect(opened, address)


@contextlib.asynccontextmanager
async def _streams(
    opened: socket.socket, name: str | None, tls: ssl.SSLContext | None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Hold the streams of a connected socket; whatever happens, nothing of it is left."""
    try:
        reader, writer = await asyncio.open_connection(sock=opened, limit=READ_AHEAD, ssl=tls, server_hostname=name)
    except BaseException:
        opened.close()
        raise
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_here(address: str) -> bool:
    """Say whether `address` is one of this host: only those can be bound."""
    with socket.socket(_family(address), socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
