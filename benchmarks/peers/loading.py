"""Requests at a steady rate from a program of their own (`load-client`), which takes next to nothing of the cores.

Knows what was asked and what failed; what a failure means is for the benchmark to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.peers.processes import Program

CONNECTIONS: Final = 16
"""Kept alive; there are more while all of them are busy."""
RATE: Final = 880.0
"""Requests a second, whatever becomes of them."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that was not answered 200: when it left, when that was known (monotonic seconds), and what came."""

    left: float
    ended: float
    kind: str


@dataclass(slots=True)
class Load:
    """Requests under way; `failures` and figures are there once it has ended. Latency counts from when one was due."""

    program: Program
    failures: tuple[Failure, ...] = ()
    rate: float = 0.0
    p99_ms: float = 0.0

    def end(self) -> None:
        """Send no more, and learn what became of those that were sent."""
        self.program.tell("end")
        said = self.program.hear()
        self.failures = tuple(Failure(**each) for each in said["failures"])
        self.rate, self.p99_ms = said["rate"], said["p99_ms"]


@contextmanager
def loading(client: Path, port: int, host: str, method: str = "GET") -> Iterator[Load]:
    """Ask for a host on a port of loopback until the block ends."""
    words = ["-address", f"127.0.0.1:{port}", "-host", host, "-method", method]
    with Program([str(client), *words, "-connections", str(CONNECTIONS), "-rate", f"{RATE:g}"], None) as program:
        load = Load(program)
        yield load
        load.end()
