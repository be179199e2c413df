"""Asking a container whether it answers: a connection, an HTTP path, or gRPC's health service, one answer in words.

Only addresses that an engine named are asked, by the path and port that labels may choose, and through the guarded
dialer: a label that names a metadata service opens no connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from typing import Final

from xds.model.check import Check, CheckKind
from xds.net.dialer import Connection, Dialer
from xds.net.targets import LOOPBACK, PRIVATE, BlockedTarget, Targets
from xds.sources.checks.grpc_health import not_serving
from xds.sources.checks.probing import MOST
from xds.sources.docker.addresses import Candidate

PATIENCE: Final = 1.0  # seconds for one answer on the way in, if the check allows as much
SILENCE: Final = 0.05  # seconds in which a proxy would have hung up

_DIALER: Final = Dialer(Targets((*PRIVATE, *LOOPBACK)))  # containers live in private networks, or publish on this host


async def ask(place: Candidate, check: Check) -> str:
    """Ask a place; return "" where it answers well, else why not."""
    patience = min(check.deadline, PATIENCE)
    try:
        async with asyncio.timeout(patience):
            async with _DIALER.dial(place.asked.host, place.asked.port) as opened:
                wrong = await _question(opened, place, check)
            return wrong or await _elsewhere(place)
    except BlockedTarget as blocked:
        return str(blocked)
    except TimeoutError:
        return f"no answer on port {place.asked.port} within {patience:g} s"
    except (OSError, asyncio.LimitOverrunError, asyncio.IncompleteReadError, ValueError) as error:
        return f"port {place.asked.port}: {_words(error)}"


async def _question(opened: Connection, place: Candidate, check: Check) -> str:
    """Return what is wrong with the answer, "" for a good one."""
    match check.kind:
        case CheckKind.HTTP:
            return await _http(opened.reader, opened.writer, place, check)
        case CheckKind.GRPC:
            wrong = await not_serving(opened.reader, opened.writer, check.service, str(place.asked), MOST)
            return wrong and f"port {place.asked.port}: {wrong}"
        case _:
            return await _behind(opened.reader, place.asked.port) if place.relayed else ""


async def _elsewhere(place: Candidate) -> str:
    """Return which registered port nobody listens on, though the check answers on another one."""
    if place.asked in place.ends.values():
        return ""
    for name, end in place.ends.items():
        try:
            async with _DIALER.dial(end.host, end.port) as opened:
                wrong = await _behind(opened.reader, end.port) if place.relayed else ""
        except ConnectionRefusedError:
            wrong = "nobody listens there"
        if wrong:
            return f"port {end.port} ({name}): {wrong}, though port {place.asked.port} answers"
    return ""


async def _behind(reader: asyncio.StreamReader, port: int) -> str:
    """Return why nobody listens behind a proxy that accepted: it hangs up as soon as it finds out."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SILENCE):
            if not await reader.read(1):
                return f"port {port}: accepted and closed, so nobody listens behind it"
    return ""


async def _http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: Candidate, check: Check) -> str:
    host = check.host or str(place.asked)
    writer.write(
        f"GET {check.path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: fairlead-agent\r\nconnection: close\r\n\r\n".encode()
    )
    await writer.drain()
    words = (await reader.readuntil(b"\n")).split(maxsplit=2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1") or not words[1].isdigit():
        return f"port {place.asked.port} does not speak HTTP"
    status = int(words[1])
    return "" if 200 <= status < 300 else f"{status} for {check.path} on port {place.asked.port}"


def _words(error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ECONNREFUSED:
        return "nobody listens there"
    return os.strerror(number).lower() if number else "it does not answer as it should"
