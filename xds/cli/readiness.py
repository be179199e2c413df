"""Whether a program on this host is ready: its port accepts, or its check is answered well."""

from __future__ import annotations

import http.client
import socket
from dataclasses import dataclass

from xds.cli.exits import Exit, Failed

PATIENCE_S = 1.0  # for one attempt


@dataclass(frozen=True, slots=True)
class Probe:
    """How to ask it: `kind` is tcp or http, and an http one asks for `path`. `host` is where it listens."""

    host: str
    port: int
    kind: str = "tcp"
    path: str = "/"

    @classmethod
    def parse(cls, text: str, host: str, port: int) -> Probe:
        """Read `tcp`, `http:/healthz` or `http:9000/healthz` (another port); Failed for anything else."""
        kind, _, rest = text.partition(":")
        number, slash, path = rest.partition("/")
        wrong = kind not in {"tcp", "http"} or (number and not number.isascii()) or (number and not number.isdigit())
        if wrong or (kind == "tcp" and slash) or not 1 <= int(number or port) <= 65_535:
            raise Failed(f"--check {text!r} is none: tcp, tcp:9000, http:/healthz or http:9000/healthz", Exit.INVALID)
        return cls(host, int(number or port), kind, "/" + path)

    @property
    def document(self) -> dict[str, object]:
        """Return the check as a registration tells it, so that the control plane asks the same."""
        return {"kind": self.kind, "port": self.port, **({"path": self.path} if self.kind == "http" else {})}

    def __str__(self) -> str:
        """Return it as people say it."""
        place = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        return f"http://{place}{self.path}" if self.kind == "http" else f"a connection to {place}"

    def is_good(self) -> bool:
        """Ask once: a connection that is accepted, or an answer from 200 to 299."""
        try:
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
