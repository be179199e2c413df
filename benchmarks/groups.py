"""What groups cost: 1,000 sidecars in 200 groups, against the same 1,000 in one.

1,000 services of 10 instances. Each sidecar may call six of them: one that all call, and five that its group has for
itself (with one group, all call the same six). An instance of the common service fails and comes back (a flip), or its
split moves (a step); that is translated, published, offered by 1,000 delta sessions and acknowledged, so that
every node is sent the same in both cases. What gRPC and the wire cost is left out, as it does not depend on groups.
Memory is what tracemalloc finds in sessions and views after the first answers, for each node. `translate_*` are the
parts of it that end with the published snapshot.
"""

from __future__ import annotations

import gc
import statistics
import time
import tracemalloc
from dataclasses import dataclass, field, replace
from itertools import cycle

from benchmarks.record import record
from benchmarks.translate import frozen
from xds.cache.table import Cache
from xds.control.groups import group_of
from xds.control.publisher import Publisher
from xds.model.health import Health
from xds.model.instance import Instance
from xds.model.intent import Intent, ref
from xds.model.names import ServiceKey
from xds.model.node import EGRESS, NodeProfile, Role
from xds.model.service import Service
from xds.model.split import Segment, Split
from xds.protocol import DeltaExchange, DeltaRequest, Session
from xds.translate import Builder
from xds.wire.types import ResourceType

NODES, SERVICES, INSTANCES, OWN = 1000, 1000, 10, 5
ASKED = (ResourceType.CLUSTER, ResourceType.ENDPOINT, ResourceType.LISTENER, ResourceType.ROUTE)
COMMON = ServiceKey.of("common")


def declare(key: ServiceKey, number: int) -> list[Service | Instance]:
    """One service in two versions, nine to one."""
    split = Split((Segment("v1", 9000), Segment("v2", 1000)), salt=str(key))
    objects: list[Service | Instance] = [Service(key, stable="v1", split=split)]
    for at in range(INSTANCES):
        host, version = f"10.{number // 250}.{number % 250}.{at}", "v2" if at == 0 else "v1"
        objects.append(Instance(f"{key.name}-{at}", key, host, {"http": 8080}, version))
    return objects


@dataclass
class Fleet:
    """A control plane without edges, and 1,000 nodes in so many groups."""

    groups: int
    intent: Intent = field(default_factory=Intent)
    cache: Cache = field(default_factory=Cache)
    sessions: list[Session[DeltaRequest]] = field(default_factory=list)
    now: float = 0.0

    def __post_init__(self) -> None:
        keys = [COMMON, *(ServiceKey.of(f"service-{number:04}") for number in range(1, SERVICES))]
        objects = [each for number, key in enumerate(keys) for each in declare(key, number)]
        self.intent.commit({ref(each): each for each in objects}, 1)
        names = [("common", *(f"service-{at * OWN + own:04}" for own in range(OWN))) for at in range(self.groups)]
        self.profiles = [NodeProfile(Role.SIDECAR, egress=EGRESS, upstreams=each) for each in names]
        self.in_use = frozenset(self.profiles)
        self.publisher = Publisher(Builder(), self.cache)
        self.publish()

    def connect(self) -> None:
        """Open every node's stream and answer until it has everything."""
        for _, profile in zip(range(NODES), cycle(self.profiles), strict=False):
            session = Session(group_of(profile, profile.upstreams), DeltaExchange)
            snapshot = self.cache.latest()
            assert snapshot is not None  # noqa: S101 - published above
            for type_ in ASKED:
                names = tuple(snapshot.view(type_, session.group).all())
                wildcard = type_ in {ResourceType.CLUSTER, ResourceType.LISTENER}
                session.receive(DeltaRequest(type_, () if wildcard else names), self.now)
            self.sessions.append(session)
        self.deliver()

    def publish(self) -> None:
        """Translate what is dirty, and publish."""
        self.now += 1.0
        self.publisher.publish(self.intent, self.intent.take_dirty(), self.in_use, now=self.now)

    def deliver(self) -> int:
        """Offer the latest to every session and acknowledge it, until nothing is owed; how many responses left."""
        snapshot, sent = self.cache.latest(), 0
        assert snapshot is not None  # noqa: S101 - published above
        for session in self.sessions:
            while responses := session.offer(snapshot, self.now).responses:
                for response in responses:
                    response.encode()
                    session.receive(DeltaRequest(response.type, nonce=response.nonce), self.now)
                sent += len(responses)
        return sent

    def flip(self, at: int) -> None:
        """One instance of the common service fails, or comes back."""
        health = Health.UNHEALTHY if at % 2 == 0 else Health.HEALTHY
        self.intent.observe_health({f"common-{1 + at // 2 % 8}": health})

    def step(self, at: int) -> None:
        """The common service's split moves."""
        service, weight = self.intent.services[COMMON], 1000 + 100 * (at + 1)
        moved = replace(service, split=service.split.shift({"v1": 10_000 - weight, "v2": weight}))
        self.intent.commit({ref(moved): moved}, 2 + at)


def measure(fleet: Fleet, kind: str, *, repeat: int) -> tuple[float, float, int]:
    """Median seconds of a change in all and up to its publish, and the responses to which it led."""
    whole, made, sent = [], [], 0
    for at in range(repeat):
        getattr(fleet, kind)(at)
        translated = frozen(fleet.publish)
        start = time.perf_counter()
        sent = fleet.deliver()
        whole.append(translated + time.perf_counter() - start)
        made.append(translated)
    return statistics.median(whole), statistics.median(made), sent


def memory(fleet: Fleet) -> float:
    """KiB that a node's session and its part of the views hold."""
    gc.collect()
    tracemalloc.start()
    fleet.connect()
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / 1024 / NODES


def main() -> None:
    figures: dict[str, float] = {}
    ratios: dict[str, float] = {}
    for groups in (1, 200):
        fleet = Fleet(groups)
        figures[f"node_kib_{groups}"] = memory(fleet)
        for kind in ("flip", "step"):
            whole, made, sent = measure(fleet, kind, repeat=40)
            figures[f"{kind}_ms_{groups}"] = whole * 1000
            figures[f"translate_{kind}_ms_{groups}"] = made * 1000
            figures[f"responses_{kind}_{groups}"] = sent
    for name in ("flip_ms", "step_ms", "translate_flip_ms", "translate_step_ms", "node_kib"):
        key = {"flip_ms": "groups_200_vs_1"}.get(name, f"{name.removesuffix('_ms')}_200_vs_1")
        ratios[key] = figures[f"{name}_200"] / figures[f"{name}_1"]
    record("groups", figures, ratios)


if __name__ == "__main__":
    main()
