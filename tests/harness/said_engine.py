"""An engine that says what a test tells it to, over a real socket: for what a real one does seldom, slowly or never.

It is the way there that is tried with it (sockets, TLS, silence, several at once), not what Docker does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from xds.sources.docker.engine import ALLOWED


class SaidEngine:
    """`containers` are inspections by id, `asked` what was asked; a `dumb` one takes questions and answers none.

    `odd` are ids of containers that it lists and cannot inspect.
    """

    def __init__(self, *containers: Mapping[str, Any], version: str = "1.41", least: str = "1.12") -> None:
        self.containers = {each["Id"]: each for each in containers}
        self.asked: list[str] = []
        self.dumb = False
        self.odd: set[str] = set()
        self.versions = {"ApiVersion": version, "MinAPIVersion": least, "Version": "said"}
        self._followers: set[asyncio.StreamWriter] = set()
        self._open: set[asyncio.StreamWriter] = set()

    @contextlib.asynccontextmanager
    async def at(self, path: Path) -> AsyncIterator[str]:
        """Listen on a socket of the file system."""
        async with await asyncio.start_unix_server(self._serve, path):
            try:
                yield f"unix://{path}"
            finally:
                await self.cut()
        path.unlink(missing_ok=True)

    def says(self, action: str, container: str, at: float = 2.0, **attributes: str) -> None:
        """Tell everybody who follows of an event, `at` seconds of its clock."""
        known = self.containers[container]["Config"]["Labels"]
        event = {
            "Type": "container", "Action": action, "timeNano": int(at * 1e9),
            "Actor": {"ID": container, "Attributes": {**known, **attributes}},
        }  # fmt: skip
        for follower in self._followers:
            follower.write(_chunk(json.dumps(event).encode() + b"\n"))

    async def cut(self) -> None:
        """Hang up on everybody."""
        for each in self._open:
            each.close()
        self._followers.clear()
        self._open.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                method, target, _ = head.split(" ", 2)
                self.asked.append(f"{method} {target}")
                path = target.partition("?")[0]
                if self.dumb:
                    continue
                if path.endswith("/events"):
                    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                    self._followers.add(writer)
                    continue
                status, said = self._answer(path)
                body = json.dumps(said).encode()
                writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()

    def _answer(self, path: str) -> tuple[int, object]:
        if not ALLOWED.match(path):
            return 403, {"message": "it is not for that"}
        if path == "/_ping":
            return 200, "OK"
        if path == "/version":
            return 200, self.versions
        if path.endswith("/containers/json"):
            return 200, [_line(each) for each in self.containers.values() if each["State"]["Running"]]
        identity = path.split("/")[-2]
        if identity in self.odd:
            return 500, {"message": "it cannot be read"}
        known = self.containers.get(identity)
        return (404, {"message": "No such container"}) if known is None else (200, known)


def _line(known: Mapping[str, Any]) -> dict[str, object]:
    networks = {"Networks": known["NetworkSettings"]["Networks"]}
    return {
        "Id": known["Id"], "Labels": known["Config"]["Labels"], "State": "running", "Status": "Up",
        "Names": [known["Name"]], "NetworkSettings": networks,
    }  # fmt: skip


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
