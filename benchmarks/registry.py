"""A registry under load: durable registrations side by side with etcd, and what 100,000 instances cost once held.

Every instance is distinct, belongs to one of 1,000 services and has six labels. `batched_per_s` are registrations in
batches of 500 on one core, `batched_p99_ms` their latency at half that rate. Ratios over etcd 3.4 come from the same
disk in the same run: `single_vs_etcd` of single PUTs a second over single puts, 64 connections each; `batched_vs_etcd`
of registrations over its transactions of 100, per second of the server's core. `one_change_100k_vs_1k` is what one
change costs with 100,000 held over 1,000 held.

`--only NAME` measures one part and writes nothing.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from benchmarks.killed import killed
from benchmarks.peers.processes import Program, stand_aside
from benchmarks.peers.programs import build_registry
from benchmarks.peers.registering import Clients, Plane, Took, etcd, plane
from benchmarks.peers.sides import now
from benchmarks.record import record

ROOT = Path(__file__).parent.parent
DISK = ROOT / "build"
HELD, FEW = 100_000, 1000
CHANGES = 40
SERVICE = "service-0000"

Figures = dict[str, float]


@contextmanager
def folder() -> Iterator[Path]:
    """A folder on the disk that the sources are on: /tmp may be memory."""
    DISK.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=DISK) as name:
        yield Path(name)


def batched(clients: Clients) -> Figures:
    """Batches of 500 over four connections, then the latency at half that rate; the same with two cores."""
    figures: Figures = {}
    for name, core in (("batched", 0), ("batched_two_cores", None)):
        with folder() as data, plane(clients, data, core) as serving:
            serving.declare()
            with serving.subscribed():
                serving.run(20_000, connections=4)
                found = serving.run(60_000, connections=4, first=20_000)
                figures |= {f"{name}_per_s": found.rate, f"{name}_us": found.us}
                half = serving.run(40_000, connections=4, first=80_000, rate=found.rate / 2)
                figures |= {f"{name}_p99_ms": half.p99_ms, f"{name}_p50_ms": half.p50_ms}
    return figures


def single(clients: Clients) -> Figures:
    """Single PUTs over 64 connections, and the puts and transactions of etcd."""
    with folder() as data, plane(clients, data) as serving:
        serving.declare()
        with serving.subscribed():
            serving.run(2000, batch=1, connections=64)
            ours = serving.run(10_000, batch=1, connections=64, first=10_000)
            many = serving.run(60_000, connections=4, first=100_000)
    with folder() as data, etcd(clients, data) as peer:
        peer.run(2000, batch=1, connections=64)
        theirs = peer.run(10_000, batch=1, connections=64, first=10_000)
        transactions = peer.run(60_000, batch=100, connections=4, first=100_000)
    return {
        "single_per_s": ours.rate,
        "single_p99_ms": ours.p99_ms,
        "single_us": ours.us,
        "etcd_single_per_s": theirs.rate,
        "etcd_single_p99_ms": theirs.p99_ms,
        "etcd_single_us": theirs.us,
        "etcd_transactions_per_s": transactions.rate,
        "etcd_transactions_us": transactions.us,
        "single_vs_etcd": ours.rate / theirs.rate,
        "batched_vs_etcd": transactions.us / many.us,
    }


def held(clients: Clients) -> Figures:
    """Memory, heartbeats, churn and a restart with 100,000 instances, and one change among few and among many."""
    with folder() as data:
        with plane(clients, data) as serving:
            serving.declare()
            serving.run(FEW, ttl="60s")
            few = one_change(serving)
            before = serving.program.rss
            serving.run(HELD - FEW, connections=4, first=FEW, ttl="60s")
            figures = {"kib_per_instance": (serving.program.rss - before) / (HELD - FEW)}
            many = one_change(serving)
            figures |= {"one_change_us": many, "one_change_100k_vs_1k": many / few}
            beats = serving.run(HELD, what="heartbeat", connections=4, rate=HELD / 5)
            figures["heartbeat_core_share"] = beats.cpu / beats.seconds
            figures |= churn(serving)
            serving.program.kill()
        started = time.monotonic()
        with plane(clients, data) as serving:
            figures["restart_100k_s"] = time.monotonic() - started
            with serving.asking() as api, serving.subscribed():
                seen = api.get(f"/services/{SERVICE}:explain").raise_for_status().json()
                if len(seen["instances"]) < HELD // 1000:
                    raise SystemExit("registry: instances are missing after the restart; nothing is written")
    return figures


def one_change(serving: Plane) -> float:
    """Return the server's processor time, in us, for one instance that changes, from its PUT to its push."""
    spent = []
    with serving.asking() as api, serving.subscribed():
        document = {"service": SERVICE, "address": "10.9.9.9", "port": 80}
        for weight in range(1, CHANGES + 1):
            serving.program.settle()
            before = serving.program.cpu
            api.put("/instances/changing", json={**document, "weight": weight}).raise_for_status()
            serving.program.settle()
            spent.append(serving.program.cpu - before)
        api.delete("/instances/changing")
    return statistics.median(spent) * 1e6


def churn(serving: Plane) -> Figures:
    """One in a hundred instances changes each second: what that costs, and how long a push takes meanwhile."""
    with serving.subscribed() as stream:
        found: list[Took] = []
        load = Thread(target=lambda: found.append(serving.run(10_000, batch=100, rate=1000, weight=50, ttl="60s")))
        load.start()
        pushed = [written_to_pushed(serving, stream, marker) for marker in range(5000, 5000 + CHANGES)]
        load.join()
    return {"churn_core_share": found[0].cpu / found[0].seconds, "churn_push_p99_ms": p99(pushed)}


def written_to_pushed(serving: Plane, stream: Program, marker: int) -> float:
    """Milliseconds from the write of an instance to the moment in which a stream has, and acknowledges, it."""
    with serving.asking() as api:
        document = {"service": SERVICE, "address": "10.9.9.9", "port": 80, "weight": marker, "zone": "", "region": ""}
        time.sleep(0.15)  # a rate, not a wait: each finds silence, as one change does
        start = now()
        api.put("/instances/a-first", json=document).raise_for_status()
        while (heard := stream.hear()).get("marker") != marker:
            pass
        return float(heard["last"] - start) / 1e6


def acknowledged(clients: Clients) -> Figures:
    """From an API write to its acknowledgement, with 1,000, 10,000 and 100,000 instances held."""
    figures: Figures = {}
    with folder() as data, plane(clients, data) as serving:
        serving.declare()
        registered = 0
        for name, count in (("1k", FEW), ("10k", 10_000), ("100k", HELD)):
            serving.run(count - registered, connections=4, first=registered)
            registered = count
            with serving.subscribed() as stream:
                times = [written_to_pushed(serving, stream, marker) for marker in range(2000, 2000 + CHANGES)]
            figures |= {
                f"write_to_ack_p50_ms_{name}": statistics.median(times),
                f"write_to_ack_p99_ms_{name}": p99(times),
            }
    return figures


def p99(times: list[float]) -> float:
    """Return the 99th percentile."""
    return statistics.quantiles(times, n=100, method="inclusive")[98]


PARTS: Mapping[str, Callable[[Clients], Figures]] = {
    "batched": batched,
    "single": single,
    "held": held,
    "acknowledged": acknowledged,
    "killed": lambda _: killed(),
}
RATIOS = ("single_vs_etcd", "batched_vs_etcd", "one_change_100k_vs_1k")


def main() -> None:
    """Measure everything, or one part."""
    parser = argparse.ArgumentParser(prog="registry")
    parser.add_argument("--only", choices=PARTS, help="one part, without writing the result")
    given = parser.parse_args()
    subprocess.run([ROOT / "scripts" / "system-parts.sh", "registry"], check=True)
    clients = Clients(*build_registry())
    stand_aside()
    figures: Figures = {}
    for name in [given.only] if given.only else PARTS:
        found = PARTS[name](clients)
        print("   ".join(f"{name} {value:.4g}" for name, value in found.items()), flush=True)
        figures |= found
    if not given.only:
        ratios = {name: figures.pop(name) for name in RATIOS}
        record("registry", figures, ratios)


if __name__ == "__main__":
    main()
