"""From views to resources: a full build, and what one change costs after it.

1,000 services of 10 instances each, in two versions, with a route per service; then one instance turns unhealthy, and
one split moves by a step. 1,000 services of 100 instances once more in full. The collector is frozen as the server
does after loading; `one_change_share` is the time of one endpoint's change over that of the full build.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from benchmarks.record import record
from xds.model.gateway import Gateway
from xds.model.health import Health
from xds.model.instance import Instance
from xds.model.names import Key, ServiceKey
from xds.model.node import EGRESS, NodeProfile, Role
from xds.model.route import PathKind, PathMatch, Route
from xds.model.service import EVERY, Service
from xds.model.split import Segment, Split
from xds.model.view import Member, ServiceView
from xds.translate import Builder

SERVICES = 1000
ENV = "default"
PROFILES = frozenset({NodeProfile(Role.SIDECAR, egress=EGRESS), NodeProfile(Role.GATEWAY, gateway="edge")})
GATEWAYS = {ENV: (Gateway(Key(ENV, "edge")),)}

Views = dict[ServiceKey, ServiceView | None]


def view_of(number: int, size: int) -> ServiceView:
    """One service of `size` instances: two versions, nine to one, and a route with a host."""
    key = ServiceKey(ENV, f"service-{number:04}")
    split = Split((Segment("v1", 9000), Segment("v2", 1000)), salt=str(key))
    service = Service(key, stable="v1", split=split)
    members = []
    for at in range(size):
        host = f"10.{number // 250}.{number % 250}.{at}"
        version, zone = ("v2" if at % 10 == 0 else "v1"), f"zone-{at % 2}"
        instance = Instance(f"{key.name}-{at}", key, host, {"http": 8080}, version, zone=zone)
        members.append(Member(instance, Health.HEALTHY))
    route = Route(
        Key(ENV, f"{key.name}.api"),
        key,
        hosts=(f"{key.name}.example.com",),
        path=PathMatch(PathKind.PREFIX, "/api"),
    )
    return with_members(service, tuple(members), (route,))


def with_members(service: Service, members: tuple[Member, ...], routes: tuple[Route, ...]) -> ServiceView:
    """The view of these members, as the intent makes it."""
    subsets: dict[str, list[Member]] = {EVERY: list(members)}
    for member in members:
        subsets.setdefault(member.instance.version, []).append(member)
    return ServiceView(service, members, {name: tuple(found) for name, found in sorted(subsets.items())}, routes)


def flipped(view: ServiceView, at: int) -> ServiceView:
    """The same service with one instance healthy that was not, or the other way round."""
    member = view.members[at]
    health = Health.UNHEALTHY if member.health is Health.HEALTHY else Health.HEALTHY
    members = (*view.members[:at], member._replace(health=health), *view.members[at + 1 :])
    return with_members(view.service, members, view.routes)


def stepped(view: ServiceView, weight: int) -> ServiceView:
    """The same service one step further in a rollout."""
    split = view.service.split.shift({"v1": 10_000 - weight, "v2": weight})
    return replace(view, service=replace(view.service, split=split))


def frozen(run: Callable[[], object]) -> float:
    """Seconds of one run, with everything that exists out of the collector's sight, as in the server after loading."""
    gc.collect()
    gc.freeze()
    start = time.perf_counter()
    run()
    taken = time.perf_counter() - start
    gc.unfreeze()
    return taken


def full(views: Views, *, repeat: int) -> float:
    """Median seconds of a build of everything by a builder that has seen nothing."""
    return statistics.median(frozen(lambda: Builder().build(views, GATEWAYS, PROFILES)) for _ in range(repeat))


def main() -> None:
    views: Views = {view.key: view for view in (view_of(number, 10) for number in range(SERVICES))}
    full_s = full(views, repeat=5)
    builder = Builder()
    built = builder.build(views, GATEWAYS, PROFILES)
    key = next(iter(views))
    current = views[key]
    assert current is not None  # noqa: S101 - made above
    changes, steps = [], []
    for at in range(50):
        current = flipped(current, 1 + at % 9)
        changes.append(frozen(partial(builder.build, {key: current}, {}, PROFILES)))
    for at in range(50):
        current = stepped(current, 1000 + 100 * (at % 50 + 1))
        steps.append(frozen(partial(builder.build, {key: current}, {}, PROFILES)))
    change_s, step_s = statistics.median(changes), statistics.median(steps)
    large: Views = {view.key: view for view in (view_of(number, 100) for number in range(SERVICES))}
    record(
        "translate",
        {
            "full_10k_s": full_s,
            "one_change_s": change_s,
            "one_step_s": step_s,
            "full_100k_s": full(large, repeat=3),
            "resources": len(built.upserts),
        },
        {"one_change_share": change_s / full_s, "one_step_share": step_s / full_s},
    )


if __name__ == "__main__":
    main()
