"""How long an instance that is killed costs requests: `kill -9` under load, behind a real Envoy, with fast checks.

`kill_to_last_failure_ms` is the time from the kill to the departure of the last request that failed, the worst of five
kills, for a service without retries. `kill_failed_with_retries` are the requests that failed in all five of a service
with the retries that every service has. Control plane, Envoy, applications and users share the machine's cores.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.peers.processes import CORES
from tests.harness import forks
from tests.harness.envoy import envoy_path
from tests.harness.load import Load, ask, request, users
from tests.harness.mesh import USER, Mesh, mesh
from tests.harness.proxy import Proxy
from tests.harness.waiting import wait_until

KILLS = 5
FAST = {"kind": "http", "path": "/", "fast": True, "rise": 1}
SERVICES = {"retried": None, "bare": {"attempts": 0}}
AFTER = 2.0  # seconds after a kill for which requests are watched


def killed() -> dict[str, float]:
    """Kill five instances, one after another, each beside one that stays."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, CORES)
    try:
        with tempfile.TemporaryDirectory() as folder, mesh(envoy_path(), Path(folder)) as made:
            gateway = made.gateway("edge")
            made.ready(gateway)
            stays, _ = made.apps("stays")
            for service, retry in SERVICES.items():
                made.service(service, hosts=[f"{service}.test"], retry=retry)
                made.register(service, "v1", stays["stays"], check=FAST)
            found = [_kill(made, gateway, f"dies-{number}") for number in range(KILLS)]
    finally:
        forks.close()
        os.sched_setaffinity(0, before)
    return {
        "kill_to_last_failure_ms": max(lasted for lasted, _ in found) * 1e3,
        "kill_failed_with_retries": float(sum(failed for _, failed in found)),
    }


def _kill(made: Mesh, gateway: Proxy, name: str) -> tuple[float, int]:
    """Return seconds from the kill to the last failure without retries, and how many failed with them."""
    ports, program = made.apps(name)
    for service in SERVICES:
        made.register(service, "v1", ports[name], id=f"{service}-{name}", check=FAST)
    for service in SERVICES:
        wait_until(partial(_answers, gateway.port, service, name), 30, what=f"{service} uses {name}")
    with ExitStack() as running:
        loads = {
            service: running.enter_context(Load(gateway.port, users(40, _asks(service))[1], pause=0.002))
            for service in SERVICES
        }
        for load in loads.values():
            load.wait_rounds(2)
        program.kill()
        at = time.monotonic()
        wait_until(lambda: time.monotonic() > at + AFTER, what="what fails has failed")
        for load in loads.values():
            load.wait_rounds(2)
    for service in SERVICES:
        made.plane.delete(f"instances/{service}-{name}")
    return max((seen.left - at for seen in loads["bare"].failures), default=0.0), len(loads["retried"].failures)


def _asks(service: str) -> Callable[[str], bytes]:
    return lambda user: request(f"{service}.test", (USER, user))


def _answers(port: int, service: str, name: str) -> bool:
    return name in {answer.version for answer in ask(port, users(20, _asks(service))[1])}
