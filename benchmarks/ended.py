"""What the end of one of three containers costs requests under a steady load, and to which moment each failure belongs.

Part of the Docker benchmark. A request that failed left before the container's process died (it was in flight), or
before the proxy knew of it, or after that; of the last there must be none. When a proxy knew is for its side to say.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.peers.asking import everybody
from benchmarks.peers.containers import Containers, End
from benchmarks.peers.docker_sides import SILENCE_S, Side, Wish
from benchmarks.peers.loading import Failure, loading

Figures = dict[str, float]

AFTER_S: Final = 2.0
"""How long the load goes on after a container ended; before it, for a silence."""
ENDS: Final = 3
"""How often each end is measured; the worst counts."""

Ending = Callable[[Containers, str], End]


@dataclass(frozen=True, slots=True)
class Way:
    """A way for a container to end, and what is asked meanwhile; `retried` False tries no request twice."""

    end: Ending
    stop: str = "finish"
    method: str = "GET"
    retried: bool = True


WAYS: Final = {
    "kill_failed": Way(Containers.kill, retried=False),
    "kill_failed_idempotent": Way(Containers.kill),
    "stop_failed": Way(Containers.stop),
    "stop_failed_early_exit": Way(Containers.stop, stop="exit"),
    "stop_failed_early_exit_other": Way(Containers.stop, stop="exit", method="POST"),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one end cost: the requests that failed, and when (monotonic seconds) it was asked for, came and was known.

    `known` is None where a side does not tell it. `rate` and `p99_ms` are of the whole load.
    """

    failures: tuple[Failure, ...]
    end: End
    known: float | None
    rate: float
    p99_ms: float

    @property
    def count(self) -> int:
        """How many requests failed."""
        return len(self.failures)

    @property
    def last_ms(self) -> float:
        """How long after the end was asked for the last of them left; 0 where none did."""
        return max((0.0, *((each.left - self.end.asked) * 1000 for each in self.failures)))

    @property
    def in_flight(self) -> int:
        """How many had left when the process died."""
        return sum(each.left < self.end.died for each in self.failures)

    @property
    def after_push(self) -> int:
        """How many left although the proxy knew; 0 where that is not told."""
        return 0 if self.known is None else sum(each.left > self.known for each in self.failures)

    @property
    def before_push(self) -> int:
        """How many left between the two."""
        return self.count - self.in_flight - self.after_push


def ends(side: Side, containers: Containers, client: Path) -> Figures:
    """What each way to end costs."""
    figures: Figures = {}
    for key, way in WAYS.items():
        costs = [ended(side, containers, client, f"{key.replace('_', '')}{at}", way) for at in range(ENDS)]
        if key == "kill_failed":
            figures |= killed(costs)
        else:
            figures[key] = float(max(cost.count for cost in costs))
    return figures


def killed(costs: Sequence[Cost]) -> Figures:
    """What a kill costs without retries: the worst of several, and how its failures divide; the load's slowest rate."""
    worst = max(costs, key=lambda cost: (cost.count, cost.last_ms))
    figures: Figures = {
        "kill_failed": worst.count,
        "kill_last_failure_ms": max(cost.last_ms for cost in costs),
        "kill_to_death_ms": max((cost.end.died - cost.end.asked) * 1000 for cost in costs),
        "load_per_s": min(cost.rate for cost in costs),
        "load_p99_ms": max(cost.p99_ms for cost in costs),
    }
    known = [cost.known - cost.end.died for cost in costs if cost.known is not None]
    if known:
        figures |= {
            "kill_failed_in_flight": worst.in_flight,
            "kill_failed_before_push": worst.before_push,
            "kill_failed_after_push": max(cost.after_push for cost in costs),
            "death_to_push_ms": max(known) * 1000,
        }
    return {key: float(value) for key, value in figures.items()}


def ended(side: Side, containers: Containers, client: Path, name: str, way: Way) -> Cost:
    """End one of three containers under load, and say how on the terminal."""
    host, names = f"{name}.test", [f"{name}-{at}" for at in "abc"]
    for each in names:
        containers.run(each, side.labels(Wish(name, host, retried=way.retried)), STOP=way.stop)
    everybody(side.port, host, names)
    with loading(client, side.port, host, way.method) as load:
        time.sleep(SILENCE_S)
        end = way.end(containers, names[0])
        time.sleep(AFTER_S)
    cost = Cost(load.failures, end, side.knew(name), load.rate, load.p99_ms)
    containers.remove(*names)
    kinds = ", ".join(f"{count} x {kind}" for kind, count in Counter(each.kind for each in cost.failures).items())
    print(f"{name}: {cost.count} failed, the last {cost.last_ms:.0f} ms after it ({kinds})", flush=True)
    return cost
