"""Removed clusters and leaving endpoints outlive the control plane that removed them."""

from __future__ import annotations

from pathlib import Path

from tests.feature.control.plane_on_disk import running_plane, say
from tests.feature.control.sidecar import Sidecar
from tests.feature.control.test_guard import web
from tests.harness.waiting import until
from xds.cache.resource import ResourceKey
from xds.control.plane import ControlPlane
from xds.model.declare import Delete, Put, StartRollout
from xds.model.instance import Instance
from xds.model.intent import Kind, Ref
from xds.model.names import ServiceKey
from xds.model.rollout import Step
from xds.wire.types import ResourceType

WEB = ServiceKey.of("web")
KEYS = [ResourceKey(type_, "web/v1", "default") for type_ in (ResourceType.CLUSTER, ResourceType.ENDPOINT)]


def versions(plane: ControlPlane) -> list[str | None]:
    """What is published of cluster web/v1 and its endpoints."""
    snapshot = plane.cache.latest()
    assert snapshot is not None
    found = [snapshot.get(key) for key in KEYS]
    return [resource.version if resource else None for resource in found]


async def kept(plane: ControlPlane) -> None:
    await until(lambda: plane._loop._preserver.is_kept, timeout=5, what="it is on disk")


async def test_a_removed_cluster_is_published_byte_for_byte_after_a_restart(tmp_path: Path) -> None:
    async with running_plane(tmp_path) as plane:
        await say(plane, Put(web(1)))
        await until(lambda: None not in versions(plane), timeout=5)
        before = versions(plane)
        await say(plane, Delete(Ref(Kind.INSTANCE, "web-1")))
        await say(plane, Delete(Ref(Kind.SERVICE, "default/web")))
        await until(lambda: len(plane._publisher.lingering) > 0, timeout=5)
        lingering = versions(plane)
        await kept(plane)
    async with running_plane(tmp_path) as plane:
        assert versions(plane) == lingering
        assert lingering[0] == before[0]
        await say(plane, Put(web(1)))
        await until(lambda: len(plane._publisher.lingering.resources) == 0, timeout=5, what="it is declared again")
        assert versions(plane) == before
        await kept(plane)
    async with running_plane(tmp_path) as plane:
        assert not plane._publisher.lingering.resources


async def test_the_minute_does_not_start_before_a_node_took_the_routes_without_it(tmp_path: Path) -> None:
    async with running_plane(tmp_path) as plane:
        await say(plane, Put(web(1)))
        sidecar = Sidecar(plane, "one", 1)
        await sidecar.connect()
        sidecar.ack()
        await say(plane, Delete(Ref(Kind.INSTANCE, "web-1")))
        await say(plane, Delete(Ref(Kind.SERVICE, "default/web")))
        await until(lambda: len(plane._publisher.lingering) > 0, timeout=5)
        waits = plane._publisher.lingering.due
        assert waits is not None
        assert waits < plane.clock.monotonic() + 2, "it looks again soon, for nobody has acknowledged"
        sidecar.ack()
        await until(
            lambda: (plane._publisher.lingering.due or 0) > plane.clock.monotonic() + 50,
            timeout=5,
            what="a minute runs",
        )


async def test_an_endpoint_that_was_leaving_stays_through_a_restart_until_the_fallback_is_acknowledged(
    tmp_path: Path,
) -> None:
    async with running_plane(tmp_path) as plane:
        for number, version in enumerate(["v1", "v2"]):
            await say(plane, Put(Instance(f"web-{version}", WEB, "127.0.0.1", {"http": 80 + number}, version=version)))
        sidecar = Sidecar(plane, "one", 1)
        await sidecar.connect()
        sidecar.ack()
        await say(plane, StartRollout(WEB, "v2", (Step(500, None),)))
        await until(lambda: plane.service_status(WEB).effective == {"v1": 9500, "v2": 500}, timeout=5)
        sidecar.ack()
        await say(plane, Delete(Ref(Kind.INSTANCE, "web-v2")))
        assert "web-v2" in plane.intent.leaving
        await kept(plane)
    async with running_plane(tmp_path) as plane:
        assert "web-v2" in plane.intent.leaving
        sidecar = Sidecar(plane, "one", 1)
        await sidecar.connect()
        sidecar.ack()
        plane._inbox.nudge()
        await until(lambda: plane.roster.node("one") is not None, timeout=5)
        assert "web-v2" in plane.intent.leaving, "the first one back does not speak for all"
