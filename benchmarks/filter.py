"""What the filter costs, split and breaker on: in Envoy against no filter and against a split in Lua, and in Python.

Run as `make bench NAME=filter`. Listeners of one Envoy take turns, round by round, and a ratio is the median of the
rounds' own, so that a machine that is slow for a moment is slow for all of them. `vs_none` and `vs_lua` are answers a
second with 16 connections over those without a filter and with Lua (above 1 is faster; `split_vs_*`: routes without a
breaker). `added_p50_us` is what the filter adds to the median latency of one connection; `*_cpu_us` the time of the
worker's core for each request. `host_us_per_request` is a whole request in the Python host (`xds.proxywasm`),
`host_calls_per_request` what it asks there. `extproc_rps` are answers a second of an Envoy without Wasm that asks
`fairlead extproc`, `extproc_cpu_us` what the processor takes for each.

The Envoy and the load need a core each. Seconds of a turn and their number are FAIRLEAD_BENCH_SECONDS (4) and
FAIRLEAD_BENCH_ROUNDS (7).
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.loaded_envoy import BREAKER, CORES, FACTS, Load, LoadedEnvoy, filters
from benchmarks.loaded_extproc import PORTS, extproc_load
from benchmarks.record import record
from xds.bootstrap.ports import Ports
from xds.cli.binary import find_envoy
from xds.model.instance import Address
from xds.proxywasm.plugin import Plugin
from xds.translate.metadata import metadata, told_by

ROOT: Final = Path(__file__).parent.parent
SECONDS: Final = int(os.environ.get("FAIRLEAD_BENCH_SECONDS", "4"))
ROUNDS: Final = int(os.environ.get("FAIRLEAD_BENCH_ROUNDS", "7"))
MANY, ALONE = 16, 1
"""Connections: enough to keep the worker busy, and one that waits for each answer."""
HOST_REQUESTS: Final = 3_000

Round = dict[str, Load]


def envoy(module: bytes, binary: Path) -> tuple[list[Round], list[Round]]:
    """Loads of each listener by its name, round by round: with many connections, and with one."""
    names = [*filters(module)]
    with Ports() as ports, tempfile.TemporaryDirectory() as folder:
        wanted = {name: Address("127.0.0.1", 0) for name in (*names, "upstream", "admin")}
        given = {name: address.port for name, address in ports.allocate(wanted).items()}
        with LoadedEnvoy(binary, module, given, Path(folder)) as running:

            def turns(connections: int, seconds: int) -> Round:
                return {name: running.load(name, connections=connections, seconds=seconds) for name in names}

            turns(MANY, 1)  # connections, caches, compiled code
            return [turns(MANY, SECONDS) for _ in range(ROUNDS)], [turns(ALONE, SECONDS) for _ in range(ROUNDS)]


def extproc(binary: Path) -> Load:
    """What an Envoy without Wasm gets done that asks a processor about every request."""
    with Ports() as ports, tempfile.TemporaryDirectory() as folder:
        wanted = {name: Address("127.0.0.1", 0) for name in (*PORTS, "admin")}
        given = {name: address.port for name, address in ports.allocate(wanted).items()}
        return extproc_load(binary, given, Path(folder), seconds=2 * SECONDS)


def middle(rounds: list[Round], value: Callable[[Round], float]) -> float:
    """The median over the rounds."""
    return statistics.median(map(value, rounds))


def absolute(many: list[Round], alone: list[Round]) -> dict[str, float]:
    """Each listener's own figures."""
    found: dict[str, float] = {}
    for name in many[0]:
        found[f"{name}_rps"] = statistics.median(each[name].rps for each in many)
        found[f"{name}_cpu_us"] = statistics.median(each[name].cpu_us for each in many)
        found[f"{name}_p50_us"] = statistics.median(each[name].p50_us for each in alone)
    return found


def python(module: bytes) -> tuple[float, float]:
    """Microseconds and host calls of one request in the Python host."""
    whole = (200).to_bytes(8, "little")
    facts = metadata(FACTS | BREAKER)
    properties = {
        b"xds\0route_name": told_by("web.all", facts).encode(),
        b"xds\0route_metadata": facts,
        b"source\0address": b"127.0.0.1:1",
        b"response\0code": whole,
        b"response\0flags": bytes(8),
        b"response\0backend_latency": bytes(8),
        b"upstream\0request_attempt_count": (1).to_bytes(8, "little"),
    }
    headers = [(b":method", b"GET"), (b":path", b"/"), (b":authority", b"web"), (b"x-user", b"user-1234")]
    with Plugin(module) as plugin:
        for _ in range(100):
            plugin.on_request(headers, properties)
        plugin.machine.calls.clear()
        start = time.perf_counter()
        for _ in range(HOST_REQUESTS):
            plugin.on_request(headers, properties)
        taken = time.perf_counter() - start
        return taken / HOST_REQUESTS * 1e6, sum(plugin.machine.calls.values()) / HOST_REQUESTS


def main() -> None:
    if len(CORES) < 2:
        raise SystemExit("filter: Envoy and load need a core each, and this process may use only one")
    subprocess.run([ROOT / "scripts" / "system-parts.sh", "load"], check=True)
    module = (ROOT / "filters" / "health.wasm").read_bytes()
    binary = find_envoy("", os.environ)
    many, alone = envoy(module, binary)
    host_us, host_calls = python(module)
    processed = extproc(binary)
    figures = absolute(many, alone)
    figures["added_p50_us"] = middle(alone, lambda each: each["breaker"].p50_us - each["none"].p50_us)
    figures |= {"host_us_per_request": host_us, "host_calls_per_request": host_calls}
    figures |= {"extproc_rps": processed.rps, "extproc_cpu_us": processed.cpu_us}
    ratios = {
        "vs_none": middle(many, lambda each: each["breaker"].rps / each["none"].rps),
        "vs_lua": middle(many, lambda each: each["breaker"].rps / each["lua"].rps),
        "split_vs_none": middle(many, lambda each: each["split"].rps / each["none"].rps),
        "split_vs_lua": middle(many, lambda each: each["split"].rps / each["lua"].rps),
    }
    record("filter", figures, ratios)


if __name__ == "__main__":
    main()
