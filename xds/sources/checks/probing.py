"""The asking: one question over the guarded dialer, with one deadline for all of it.

Of HTTP only the status line is read, of gRPC the status and one message; nothing of what a target sends is kept or
shown, because whoever registers an address is not always whoever owns it. What an answer is worth is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import errno
import re
import ssl
from collections.abc import Callable
from typing import Final

from xds.model.check import CheckKind
from xds.net.dialer import Connection, Dialer
from xds.net.targets import BlockedTarget
from xds.sources.checks.grpc_health import not_serving
from xds.sources.checks.target import Outcome, Target

MOST: Final = 4096
"""Bytes that are read of an answer."""
STALL: Final = 0.05
"""Seconds by which a deadline may be overrun; beyond, it was us who did not look in time."""
GOOD: Final = range(200, 300)
_OURS: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL}
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (?P<status>[1-5][0-9]{2})[ \r\n]")

Clock = Callable[[], float]


class Prober:
    """Asks one target after the other, or many at once; holds nothing between two questions."""

    def __init__(self, dialer: Dialer, clock: Clock) -> None:
        """Ask through `dialer`; `clock` returns monotonic seconds."""
        self._dialer = dialer
        self._clock = clock
        self._tls = {CheckKind.HTTP: _context("http/1.1"), CheckKind.GRPC: _context("h2")}

    async def ask(self, target: Target) -> Outcome | None:
        """Return what came of it, None when the question was lost by our own fault."""
        began, deadline = self._clock(), target.check.deadline
        heard = False
        place = f"{target.host} port {target.port}"
        try:
            async with asyncio.timeout(deadline):
                tls = self._tls.get(target.check.kind) if target.check.tls else None
                async with self._dialer.dial(target.host, target.port, tls=tls) as connection:
                    heard = True
                    wrong = await self._question(connection, target)
                wrong = wrong or await self._elsewhere(target)
        except TimeoutError:
            if self._clock() - began > deadline + STALL:
                return None
            what = "it did not finish its answer" if heard else f"{place} does not answer"
            return self._bad(f"{what} within {1000 * deadline:.0f} ms", began, silent=not heard)
        except BlockedTarget as blocked:
            return self._bad(f"blocked_target: {blocked}", began)
        except ssl.SSLError:
            return self._bad(f"{place} does not speak TLS as it should", began)
        except ConnectionError as error:
            refused = isinstance(error, ConnectionRefusedError)
            return self._bad(f"nobody listens at {place}" if refused else "it ended the connection", began)
        except OSError as error:
            return None if error.errno in _OURS else self._bad(f"{place} cannot be reached", began, silent=True)
        seconds = self._clock() - began
        return Outcome(good=not wrong, why=wrong or "answered", seconds=seconds)

    async def _question(self, connection: Connection, target: Target) -> str:
        """Return what is wrong with the answer, "" for a good one."""
        check = target.check
        authority = check.host or (f"[{target.host}]" if ":" in target.host else target.host) + f":{target.port}"
        match check.kind:
            case CheckKind.HTTP:
                return await _http(connection, check.path, authority)
            case CheckKind.GRPC:
                return await not_serving(connection.reader, connection.writer, check.service, authority, MOST)
            case _:
                return ""

    async def _elsewhere(self, target: Target) -> str:
        """Return which registered port nobody listens on, though the check answers: the wrong one was registered."""
        for name, port in target.elsewhere:
            try:
                async with self._dialer.dial(target.host, port):
                    pass
            except ConnectionRefusedError:
                return f"port {port} ({name}) is registered and nobody listens there, though port {target.port} answers"
        return ""

    def _bad(self, why: str, began: float, *, silent: bool = False) -> Outcome:
        return Outcome(good=False, why=why, seconds=self._clock() - began, silent=silent)


async def _http(connection: Connection, path: str, authority: str) -> str:
    """Return what is wrong with the answer to GET `path`; no redirect is followed."""
    head = f"GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: fairlead-check\r\nConnection: close\r\n\r\n"
    connection.writer.write(head.encode("ascii"))
    left, wanted = MOST, True
    while left > 0:
        try:
            line = await connection.reader.readuntil(b"\n")
        except asyncio.IncompleteReadError as short:
            return _foreign(short.partial) if wanted else "it ended the connection within its answer"
        except asyncio.LimitOverrunError:
            break
        left -= len(line)
        if wanted:
            found = _STATUS.match(line)
            if found is None:
                return _foreign(line)
            status = int(found["status"])
            if status in GOOD:
                return ""
            if status >= 200:
                return f"it answers {status}" + (", and is not followed" if 300 <= status < 400 else "")
        wanted = line in {b"\r\n", b"\n"}
    return f"no answer within the first {MOST} bytes"


def _foreign(start: bytes) -> str:
    """Return what kind of program answers like that, as far as its first bytes tell; they are not shown."""
    if not start:
        return "it ended the connection without an answer"
    if start[:2] == b"\x15\x03":
        return "it speaks TLS, and was asked without"
    if len(start) > 3 and start[:2] == b"\0\0" and start[3] in {4, 7}:
        return "it speaks HTTP/2, as gRPC does, and was asked in HTTP/1.1"
    return "it does not speak HTTP"


def _context(protocol: str) -> ssl.SSLContext:
    """Return TLS without proof of identity: a check asks whether somebody answers, and sends no secret."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    return context
