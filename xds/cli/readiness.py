"""Whether a program on this host is ready: its port accepts, or its check is answered well."""

from __future__ import annotations

import asyncio
import http.client
import socket
from dataclasses import dataclass

from xds.cli.exits import Exit, Failed

PATIENCE_S = 1.0  # for one attempt


@dataclass(frozen=True, slots=True)
class Probe:
    """How to ask it: `kind` is tcp, http for `path`, grpc for the health of `service`. `host` is where it listens."""

    host: str
    port: int
    kind: str = "tcp"
    path: str = "/"
    service: str = ""

    @classmethod
    def parse(cls, text: str, host: str, port: int) -> Probe:
        """Read `tcp`, `http:/healthz` or `http:9000/healthz` (another port), `grpc:/shop.Web`; Failed otherwise."""
        kind, _, rest = text.partition(":")
        number, slash, path = rest.partition("/")
        wrong = kind not in {"tcp", "http", "grpc"} or (number and not (number.isascii() and number.isdigit()))
        if wrong or (kind == "tcp" and slash) or not 1 <= int(number or port) <= 65_535:
            known = "tcp, tcp:9000, http:/healthz, http:9000/healthz, grpc or grpc:9000/shop.Web"
            raise Failed(f"--check {text!r} is none: {known}", Exit.INVALID)
        if kind == "grpc":
            return cls(host, int(number or port), kind, service=path)
        return cls(host, int(number or port), kind, "/" + path)

    @property
    def document(self) -> dict[str, object]:
        """Return the check as a registration tells it, so that the control plane asks the same."""
        asked = {"http": {"path": self.path}, "grpc": {"service": self.service}}.get(self.kind, {})
        return {"kind": self.kind, "port": self.port, **asked}

    def __str__(self) -> str:
        """Return it as people say it."""
        place = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        match self.kind:
            case "http":
                return f"http://{place}{self.path}"
            case "grpc":
                return f"the gRPC health of {self.service or 'all'} at {place}"
            case _:
                return f"a connection to {place}"

    def is_good(self) -> bool:
        """Ask once: a connection that is accepted, an answer from 200 to 299, SERVING of grpc.health.v1."""
        try:
            if self.kind == "grpc":
                return asyncio.run(self._serves())
            if self.kind == "tcp":
                socket.create_connection((self.host, self.port), PATIENCE_S).close()
                return True
            connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE_S)
            try:
                connection.request("GET", self.path, headers={"user-agent": "fairlead-register"})
                return 200 <= connection.getresponse().status < 300
            finally:
                connection.close()
        except (OSError, http.client.HTTPException):
            return False

    async def _serves(self) -> bool:
        from xds.sources.checks.grpc_health import not_serving

        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_connection(self.host, self.port)
            try:
                return not await not_serving(reader, writer, self.service, f"{self.host}:{self.port}", 4096)
            finally:
                writer.close()
