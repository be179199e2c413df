"""Containers that come, go and change, on a real engine: how soon they are reached, and what that costs requests.

Run as `make bench NAME=docker` (five minutes; root, it starts an engine of its own; Go builds two little programs). The
control plane is `fairlead serve --docker` with a gateway Envoy, both as they are by default.

`run_to_200_ms` is the median from the engine's answer that a container runs to the first good answer through the
gateway, for a service and a route nobody knew before, after a silence, without a probe; `run_to_200_default_probe_ms`
with the probe that is the default; `burst_worst_ms` the slowest of ten that are started in a row. Then, after a
silence, one of three containers ends under 880 requests a second, over kept-alive connections: `kill_*` by `docker
kill` (without retries, and GET with the default policy), `stop_*` by `docker stop` of a program that finishes its
requests, and of one that exits at once (GET, and `_other`: POST). `kill_failed_in_flight`, `_before_push` and
`_after_push` divide the failures of a kill by when they left: before the process died, before Envoy took its end,
after that; `kill_last_failure_ms` is how long after the kill the last one left, `death_to_push_ms` how long Envoy did
not know. `recreate_*` is a container that is removed and made anew with other labels, mostly at the same address,
while both its old and its new host are asked: answers by the wrong one, and the time until the new one answers.
`agent_idle_*` is `fairlead agent` as a process of its own with 200 containers that do nothing, as a share of one
core.

`ARGS="--traefik PATH"` measures that Traefik in the same run, where it has the same thing (`traefik_*`); the ratios are
ours over theirs, so below one is better (docs/performance.md tells how to build it). `--only NAME` measures one part
and writes nothing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.ended import ends
from benchmarks.peers.asking import LOOK_S, Waiting, everybody
from benchmarks.peers.containers import Containers
from benchmarks.peers.docker_sides import SILENCE_S, Side, Wish, agent_alone, fairlead, traefik
from benchmarks.peers.programs import build_container, build_load
from benchmarks.record import record
from tests.harness import forks
from tests.harness.docker_engine import DockerEngine
from tests.harness.load import Load, request
from tests.harness.processes import Programs

Figures = dict[str, float]

TIMES: Final = 9
BURST: Final = 10
IDLE, IDLE_S, SIDE_BY_SIDE = 200, 30.0, 4
COMPARED: Final = (
    "run_to_200_ms",
    "burst_worst_ms",
    "kill_failed",
    "kill_last_failure_ms",
    "stop_failed",
    "stop_failed_early_exit",
    "recreate_live_ms",
)
"""Where both sides have the same thing, and less is better."""


def alone(side: Side, containers: Containers, *, probed: bool) -> list[float]:
    """Milliseconds from start to first answer of containers that are started one at a time."""
    took: list[float] = []
    for number in range(TIMES):
        name = f"alone{number}{'' if probed else 'un'}probed"
        waiting = Waiting(side.port)
        time.sleep(SILENCE_S)
        waiting.moments[f"{name}.test"] = containers.run(name, side.labels(Wish(name, f"{name}.test", probed=probed)))
        waiting.wait(1)
        took += waiting.took_ms.values()
        containers.remove(name)
    return took


def burst(side: Side, containers: Containers) -> list[float]:
    """The same of ten that are started one after the other, without waiting."""
    waiting = Waiting(side.port)
    asking = threading.Thread(target=waiting.wait, args=(BURST,))
    asking.start()
    names = [f"burst{number}" for number in range(BURST)]
    for name in names:
        waiting.moments[f"{name}.test"] = containers.run(name, side.labels(Wish(name, f"{name}.test", probed=False)))
    asking.join()
    containers.remove(*names)
    return list(waiting.took_ms.values())


def recreated(side: Side, containers: Containers) -> Figures:
    """A container is made anew with other labels, while its old and its new host are asked."""
    containers.run("old", side.labels(Wish("old", "old.test")))
    everybody(side.port, "old.test", ["old"])
    asked = [request(host) for host in ("old.test", "new.test")]
    with Load(side.port, asked, connections=2, pause=LOOK_S) as load:
        time.sleep(SILENCE_S)
        containers.remove("old")
        moment = containers.run("new", side.labels(Wish("new", "new.test")))
        everybody(side.port, "new.test", ["new"])
        live = time.monotonic() - moment
        time.sleep(SILENCE_S)
    containers.remove("new")
    wrong = [seen for seen in load.seen if not seen.failure and seen.version != ("old", "new")[seen.user]]
    return {"recreate_misrouted": len(wrong), "recreate_live_ms": live * 1000}


def reached(side: Side, containers: Containers) -> Figures:
    """How soon containers are reached."""
    figures = {"run_to_200_ms": statistics.median(alone(side, containers, probed=False))}
    if side.probes:
        figures["run_to_200_default_probe_ms"] = statistics.median(alone(side, containers, probed=True))
    return figures | {"burst_worst_ms": max(burst(side, containers))}


def idle(containers: Containers, socket: Path, folder: Path) -> Figures:
    """What an agent costs where nothing happens."""
    labels, names = {"fairlead.service": "idle", "fairlead.port": "8080"}, [f"idle{number}" for number in range(IDLE)]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as several:
        list(several.map(lambda name: containers.run(name, labels), names))
    with agent_alone(socket, folder, IDLE) as agent:
        time.sleep(IDLE_S / 3)  # what comes with a start is done by then
        before = processor_s(agent.pid)
        time.sleep(IDLE_S)
        spent = processor_s(agent.pid) - before
    with ThreadPoolExecutor(SIDE_BY_SIDE) as several:
        list(several.map(containers.remove, names))
    return {"agent_idle_cpu_percent": 100 * spent / IDLE_S}


def processor_s(pid: int) -> float:
    """Return what a process has used of processors so far, by its clock as clock_getcpuclockid(3) makes it."""
    return time.clock_gettime((~pid << 3) | 2)


PARTS: Final[Mapping[str, Callable[[Side, Containers], Figures]]] = {
    "reached": reached,
    "ends": lambda side, containers: ends(side, containers, build_load()),
    "recreated": recreated,
}


def measured(side: Side, containers: Containers, only: str) -> Figures:
    """Measure one side, or one part of it."""
    figures: Figures = {}
    for name in [only] if only in PARTS else [] if only else PARTS:
        found = PARTS[name](side, containers)
        print("   ".join(f"{key} {value:.4g}" for key, value in found.items()), flush=True)
        figures |= found
    return figures


def compared(figures: Figures) -> Figures:
    """Ours over theirs, by `<name>_vs_traefik`; nothing where theirs was not measured, or is none."""
    return {
        f"{key.removesuffix('_ms')}_vs_traefik": figures[key] / theirs
        for key in COMPARED
        if (theirs := figures.get(f"traefik_{key}", 0.0))
    }


@contextmanager
def an_engine(folder: Path) -> Iterator[Containers]:
    """An engine of this benchmark's own, with the image of the little program."""
    (folder / "logs").mkdir()
    programs = Programs(folder / "logs")
    try:
        with DockerEngine(programs, folder).running() as engine, Containers(engine.socket, build_container()) as made:
            yield made
    finally:
        programs.stop_all()
        forks.close()


def main(words: Sequence[str] | None = None) -> None:
    """Measure everything, or one part; `words` are the command line's where none are given."""
    parser = argparse.ArgumentParser(prog="docker")
    parser.add_argument("--traefik", type=Path, metavar="PATH", help="measure this Traefik, too")
    parser.add_argument("--only", choices=[*PARTS, "idle"], help="one part, without writing the result")
    given = parser.parse_args(words)
    if given.traefik and not os.access(given.traefik, os.X_OK):
        parser.error(f"{given.traefik} is no program")
    with tempfile.TemporaryDirectory(prefix="fl") as place, an_engine(Path(place)) as containers:
        folder, socket = Path(place), Path(place) / "docker.sock"
        with fairlead(socket, folder / "f") as ours:
            figures = measured(ours, containers, given.only or "")
        if given.traefik:
            with traefik(given.traefik, socket, folder / "t") as theirs:
                found = measured(theirs, containers, given.only or "")
            figures |= {f"traefik_{key}": value for key, value in found.items()}
        if given.only in {None, "idle"}:
            figures |= idle(containers, socket, folder / "a")
            print(f"agent_idle_cpu_percent {figures['agent_idle_cpu_percent']:.4g}", flush=True)
    if not given.only:
        record("docker", figures, compared(figures))


if __name__ == "__main__":
    main()
