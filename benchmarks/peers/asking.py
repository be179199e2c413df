"""Who answers for a host, asked one request at a time until somebody does."""

from __future__ import annotations

import http.client
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

LOOK_S: Final = 0.001
PATIENCE_S: Final = 30.0


@dataclass
class Waiting:
    """Asks for hosts until each was answered well once; `moments` are from when on they are waited for."""

    port: int
    moments: dict[str, float] = field(default_factory=dict)
    took_ms: dict[str, float] = field(default_factory=dict)

    def wait(self, count: int) -> None:
        """Ask, one host after the other, until that many were answered."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        deadline = time.monotonic() + PATIENCE_S
        while len(self.took_ms) < count:
            for host in [each for each in list(self.moments) if each not in self.took_ms]:
                if answered(connection, host):
                    self.took_ms[host] = (time.monotonic() - self.moments[host]) * 1000
            if time.monotonic() > deadline:
                raise SystemExit(f"docker: {sorted(set(self.moments) - set(self.took_ms))} never answered")
            time.sleep(LOOK_S)
        connection.close()


def answered(connection: http.client.HTTPConnection, host: str) -> str:
    """Return who answered 200 for a host; "" for nobody."""
    try:
        connection.request("GET", "/", headers={"host": host})
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        return ""
    return answer.getheader("x-version", "") if answer.status == 200 else ""


def everybody(port: int, host: str, names: Sequence[str]) -> None:
    """Return when each of the containers has answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    deadline, met = time.monotonic() + PATIENCE_S, set[str]()
    while not met >= set(names):
        met.add(answered(connection, host))
        if time.monotonic() > deadline:
            raise SystemExit(f"docker: {sorted(set(names) - met)} never answered for {host}")
        time.sleep(LOOK_S)
    connection.close()
