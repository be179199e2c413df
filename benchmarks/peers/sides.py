"""One run: a server, the client's streams on it, and flips of one endpoint, each over when the last stream has it."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from .processes import CLIENT_CORE, SERVER_CORE, Program, stand_aside
from .programs import Programs, build

FAIRLEAD, LINEAR, SNAPSHOT = "fairlead", "linear", "snapshot"
PEERS = (FAIRLEAD, LINEAR, SNAPSHOT)
ROUNDS = 3

START = "import gc; gc.disable(); from benchmarks.peers.fairlead import main; main()"
"""Fairlead's server as a program, which starts without a garbage collector, as `fairlead serve` does."""

markers = count(2)
"""The weights that flips set: never the same twice, and none is the weight that everything starts with."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of a server. `subscribers` streams of them ask for the name that flips; 0 means all."""

    protocol: str = "delta"
    streams: int = 1000
    names: int = 10
    subscribers: int = 0
    served: int = 1000
    endpoints: int = 10
    groups: int = 1

    @property
    def pushes(self) -> int:
        """Responses that one flip causes."""
        return self.subscribers or self.streams


@dataclass(frozen=True, slots=True)
class Flips:
    """What flips cost: server CPU in us per push with its ACK, milliseconds to the last stream and to the p99 one."""

    push_us: float
    last_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: the first answers, the flips after them, and what a stream takes in the server's memory."""

    first_ms: float
    flips: Flips
    stream_kib: float


def prepare() -> Programs:
    """Build the programs and make room for them: a core for the server alone, sockets for thousands of streams."""
    programs = build()
    stand_aside()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return programs


def command(programs: Programs, peer: str, load: Load, port: int = 0) -> list[str]:
    """Return how a peer is started. It serves one name more than is asked for, for streams that leave out the first."""
    served = max(load.served, load.names + 1)
    size = ["-names", str(served), "-endpoints", str(load.endpoints), "-port", str(port)]
    if peer == FAIRLEAD:
        return [sys.executable, "-c", START, *size, "-groups", str(load.groups)]
    return [str(programs.go_control_plane), "-cache", peer, *size]


@contextmanager
def serving(programs: Programs, peer: str, load: Load, port: int = 0) -> Iterator[tuple[Program, int]]:
    """Run a peer; yields it and its port once it serves."""
    with Program(command(programs, peer, load, port), SERVER_CORE) as server:
        yield server, int(server.hear()["port"])


@contextmanager
def streaming(programs: Programs, load: Load, port: int, suffix: str = "") -> Iterator[tuple[Program, float]]:
    """Open the streams; yields the client and the milliseconds until the last one had its first full answer.

    `suffix` follows each service in the names asked for.
    """
    asked = ["-protocol", load.protocol, "-streams", str(load.streams), "-names", str(load.names)]
    asked += ["-subscribers", str(load.subscribers), "-address", f"127.0.0.1:{port}", "-suffix", suffix]
    with Program([str(programs.client), *asked], CLIENT_CORE) as client:
        ready = expect(client, "ready")
        yield client, (ready["last"] - ready["started"]) / 1e6


def now() -> int:
    """Nanoseconds as the client counts them."""
    return time.time_ns()  # noqa: TID251 - the clock that two processes share


def expect(client: Program, event: str, marker: int = 0) -> dict[str, Any]:
    """Return what the client says next, which must be this."""
    heard = client.hear()
    if heard["event"] != event or heard.get("marker", 0) != marker:
        raise SystemExit(f"fanout: the client said {heard} when {event} {marker or ''} was due; nothing is written")
    return heard


def flip(server: Program, client: Program, load: Load, flips: int) -> Flips:
    """Flip one endpoint `flips` times, each time when every subscriber has the one before; medians over the flips."""
    server.settle()
    last, p99 = [], []
    before = server.cpu
    for marker in (next(markers) for _ in range(flips)):
        start = now()
        server.tell(str(marker))
        heard = expect(client, "flip", marker)
        last.append((heard["last"] - start) / 1e6)
        p99.append((heard["p99"] - start) / 1e6)
    server.settle()
    push_us = (server.cpu - before) * 1e6 / (flips * load.pushes)
    return Flips(push_us, statistics.median(last), statistics.median(p99))


def measure(programs: Programs, peer: str, load: Load, flips: int) -> Measured:
    """Measure one load on one peer, from its start to its end."""
    with serving(programs, peer, load) as (server, port):
        empty = server.rss
        with streaming(programs, load, port) as (client, first_ms):
            flipped = flip(server, client, load, flips)
            return Measured(first_ms, flipped, (server.rss - empty) / load.streams)


def in_turn(programs: Programs, sides: Sequence[tuple[str, Load]], flips: int) -> list[Measured]:
    """Measure these loads on these peers in turn, `ROUNDS` times over; medians of every figure.

    A machine that others share is faster and slower by the minute, and a ratio of two single runs as well.
    """
    runs = [[measure(programs, peer, load, flips) for peer, load in sides] for _ in range(ROUNDS)]
    return [_median(of_one) for of_one in zip(*runs, strict=True)]


def _median(runs: Sequence[Measured]) -> Measured:
    def middle(figure: Callable[[Measured], float]) -> float:
        return statistics.median(map(figure, runs))

    flips = Flips(
        middle(lambda run: run.flips.push_us),
        middle(lambda run: run.flips.last_ms),
        middle(lambda run: run.flips.p99_ms),
    )
    return Measured(middle(lambda run: run.first_ms), flips, middle(lambda run: run.stream_kib))
