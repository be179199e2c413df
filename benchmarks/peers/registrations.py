"""The whole control plane under load: how long an urgent push takes while thousands of registrations a second arrive.

`fairlead serve` on one core; on the other the streams, the registrations, and this. Each flip deletes the first
instance of service-0000, which is what a push is not held back for; the next one's weight is then the first. Times are
from the request to the last stream, with the commit.
"""

from __future__ import annotations

import statistics
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from .processes import SERVER_CORE, Program
from .programs import Programs
from .sides import Load, expect, now, streaming

FAIRLEAD = Path(sysconfig.get_path("scripts")) / "fairlead"
RATE, BATCH = 5000, 250
SERVICES = 200
"""Services that the arriving instances spread over; nobody is subscribed to them."""


def push_under_registrations(programs: Programs, flips: int) -> Mapping[str, float]:
    """The p99 over all flips and streams, in ms, in silence and under registrations, and how many of those came."""
    load = Load(streams=100, names=10)
    with tempfile.TemporaryDirectory() as folder:
        serve = [str(FAIRLEAD), "serve", "-o", "json", "--data-dir", folder, "--filter", "none"]
        with Program([*serve, "--api", "127.0.0.1:0", "--ads", "127.0.0.1:0"], SERVER_CORE) as plane:
            serves = plane.hear()
            with httpx.Client(base_url=f"{serves['api']}/v1", timeout=30, trust_env=False) as api:
                _declare(api, load.names, 2 * flips + 2)
                with streaming(programs, load, int(serves["ads"].rpartition(":")[2]), "/-") as (client, _):
                    plane.settle()
                    quiet = [_flip(api, client, weight) for weight in range(2, flips + 2)]
                    with _arriving(serves["api"]) as arrivals:
                        loaded = [_flip(api, client, weight) for weight in range(flips + 2, 2 * flips + 2)]
    return {
        "push_p99_ms": _p99(quiet),
        "push_p99_under_registrations_ms": _p99(loaded),
        "registrations_per_s": arrivals.rate,
    }


def _declare(api: httpx.Client, names: int, weights: int) -> None:
    """Declare the services, and the instances of those that are subscribed to; ids are in the order of weights."""
    services = [f"service-{number:04d}" for number in range(names)] + [f"load-{at}" for at in range(SERVICES)]
    documents: list[object] = [{"kind": "service", "name": name} for name in services]
    documents += [
        {"kind": "instance", "service": name, "address": "10.0.0.1", "port": 8080} for name in services[1:names]
    ]
    documents += [
        {"kind": "instance", "id": f"flip-{weight:04d}", "service": services[0], "weight": weight}
        | {"address": f"10.1.0.{weight & 255}", "port": 8080 + (weight >> 8)}
        for weight in range(2, weights + 1)
    ]
    answer = api.post("/apply", json={"documents": documents}).raise_for_status().json()
    if answer["failed"]:
        raise SystemExit(f"fanout: {answer['failed']} documents were refused; nothing is written")


def _flip(api: httpx.Client, client: Program, weight: int) -> float:
    """Delete the instance with this weight, the first; milliseconds until the p99 stream has the next as the first."""
    time.sleep(0.05)  # a rate, not a wait: 20 a second at most
    start = now()
    api.delete(f"/instances/flip-{weight:04d}").raise_for_status()
    return float(expect(client, "flip", weight + 1)["p99"] - start) / 1e6


class _Arrivals:
    """Registrations at a steady rate from a thread of its own, until they are stopped."""

    def __init__(self, api: str) -> None:
        self._api = api
        self._over = threading.Event()
        self._started = time.monotonic()
        self._batches = 0
        self.rate = 0.0

    def run(self) -> None:
        with httpx.Client(base_url=f"{self._api}/v1", timeout=30, trust_env=False) as api:
            self._started = time.monotonic()
            while not self._over.wait(max(0.0, self._started + self._batches * BATCH / RATE - time.monotonic())):
                api.post("/instances:batch", json={"items": _batch(self._batches)}).raise_for_status()
                self._batches += 1
            self.rate = self._batches * BATCH / (time.monotonic() - self._started)

    def stop(self) -> None:
        self._over.set()


@contextmanager
def _arriving(api: str) -> Iterator[_Arrivals]:
    arrivals = _Arrivals(api)
    thread = threading.Thread(target=arrivals.run)
    thread.start()
    try:
        yield arrivals
    finally:
        arrivals.stop()
        thread.join()


def _batch(number: int) -> list[object]:
    first = number * BATCH
    return [
        {"service": f"load-{at % SERVICES}", "address": f"10.2.{at >> 8 & 255}.{at & 255}", "port": 1024 + (at >> 16)}
        for at in range(first, first + BATCH)
    ]


def _p99(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=100, method="inclusive")[98]
