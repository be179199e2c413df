"""Absence is held, evidence passes: the control plane on its real store, and what Envoys would be sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment

from tests.feature.control.plane_on_disk import running_plane
from tests.harness.waiting import until
from xds.cache.resource import ResourceKey
from xds.control.plane import ControlPlane
from xds.model.declare import Declaration, Delete, Put
from xds.model.instance import Instance
from xds.model.intent import Kind, Ref
from xds.model.names import ServiceKey
from xds.wire.codec import decode
from xds.wire.types import ResourceType

WEB = ServiceKey.of("web")


def web(number: int) -> Instance:
    return Instance(f"web-{number}", WEB, "127.0.0.1", {"http": 8000 + number}, version="v1", ttl=60.0)


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    async with running_plane(tmp_path) as plane:
        await plane.submit([Declaration(Put(web(number)), "api:test") for number in range(10)])
        await served(plane, 10)
        yield plane


async def remove(plane: ControlPlane, numbers: Iterable[int], *, absence: bool) -> None:
    """Remove these at once, as an expired lease does, or as an operator."""
    names = [Ref(Kind.INSTANCE, f"web-{number}") for number in numbers]
    await plane.submit([Declaration(Delete(n), "test", "why", operator=True, absence=absence) for n in names])


def endpoints(plane: ControlPlane) -> int:
    """How many endpoints of web are in EDS."""
    snapshot = plane.cache.latest()
    resource = snapshot.get(ResourceKey(ResourceType.ENDPOINT, "web/v1", "default")) if snapshot else None
    if resource is None:
        return 0
    found = decode(ClusterLoadAssignment, resource.value)
    return sum(len(locality.lb_endpoints) for locality in found.endpoints)


async def served(plane: ControlPlane, count: int) -> None:
    await until(lambda: endpoints(plane) == count, timeout=5, what=f"{count} endpoints are published")


async def published(plane: ControlPlane) -> None:
    """Wait until nothing is left to publish."""
    await until(lambda: plane._loop._pace.due() is None, timeout=5, what="everything is published")


def alarms(plane: ControlPlane) -> list[str]:
    return [problem.message for problem in plane.problems if problem.kind == "guard"]


async def test_six_of_ten_that_fall_silent_at_once_stay_in_eds_with_an_alarm(plane: ControlPlane) -> None:
    await remove(plane, range(6), absence=True)
    await published(plane)
    assert endpoints(plane) == 10
    assert len(plane.intent.instances) == 4
    (alarm,) = alarms(plane)
    assert "6 of 10 endpoints" in alarm
    assert [problem.kind for problem in plane.service_status(WEB).problems] == ["guard"]


async def test_six_of_ten_that_are_deleted_go(plane: ControlPlane) -> None:
    await remove(plane, range(6), absence=False)
    await served(plane, 4)
    assert not alarms(plane)


async def test_what_changes_meanwhile_is_published(plane: ControlPlane) -> None:
    """Held is the loss, not the resource."""
    await remove(plane, range(6), absence=True)
    await plane.submit([Declaration(Put(web(10)), "api:test")])
    await served(plane, 11)


async def test_who_comes_back_is_an_instance_as_before_and_the_hold_ends(plane: ControlPlane) -> None:
    await remove(plane, range(6), absence=True)
    await plane.submit([Declaration(Put(web(number)), "api:test") for number in range(6)])
    await published(plane)
    assert endpoints(plane) == len(plane.intent.instances) == 10
    assert not alarms(plane)
    assert plane.lease("web-0") is not None


async def test_a_deletion_of_what_is_held_is_evidence_and_is_in_the_journal(plane: ControlPlane) -> None:
    await remove(plane, range(6), absence=True)
    await remove(plane, range(6), absence=False)
    await served(plane, 4)
    assert not alarms(plane)
    rows = [row for row in await plane.store.journal() if row["key"] == "web-0"]
    assert [(row["actor"], row["after"] is None) for row in rows] == [
        ("api:test", False),
        ("test", True),
        ("test", True),
    ]


async def test_what_is_held_survives_a_restart(tmp_path: Path) -> None:
    async with running_plane(tmp_path) as plane:
        await plane.submit([Declaration(Put(web(number)), "api:test") for number in range(10)])
        await served(plane, 10)
        await remove(plane, range(6), absence=True)
        await until(lambda: plane._loop._preserver.is_kept, timeout=5, what="it is on disk")
    async with running_plane(tmp_path) as plane:
        assert endpoints(plane) == 10
        assert alarms(plane)
        await remove(plane, range(6), absence=False)
        await served(plane, 4)
