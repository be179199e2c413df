"""M27: two instances that claim one address and port: one gets the traffic, both are flagged, and it heals."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.feature.control.plane_on_disk import running_plane, say
from tests.harness.declared import instance
from tests.harness.waiting import until
from xds.control.plane import ControlPlane
from xds.model.alarm import Priority
from xds.model.declare import Delete, Put
from xds.model.health import Health
from xds.model.instance import Address
from xds.model.intent import Kind, Ref
from xds.model.names import ServiceKey
from xds.model.signal import Signal

HERE = "10.0.0.1"


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    async with running_plane(tmp_path) as plane:
        yield plane


async def register(plane: ControlPlane, *names: str, address: str = HERE, **more: object) -> None:
    for name in names:
        await say(plane, Put(instance(name, address=address, **more)))  # type: ignore[arg-type]  # fields of Instance


async def serving(plane: ControlPlane, *names: str) -> None:
    """Wait until exactly these get traffic."""
    await until(
        lambda: {m for m in plane.intent.instances if plane.intent.health(m).serves} == set(names), what=f"{names}"
    )


def flagged(plane: ControlPlane) -> set[str]:
    return {problem.object for problem in plane.problems if problem.pointer == "/address"}


def alarms(plane: ControlPlane) -> list[tuple[str, str, Priority]]:
    return [(alarm.kind, alarm.object, alarm.priority) for alarm in plane.alarms.standing]


async def test_m27_the_newer_of_two_gets_the_traffic_and_both_are_flagged(plane: ControlPlane) -> None:
    await register(plane, "old", version="v1")
    await register(plane, "new", version="v2")
    await serving(plane, "new")
    assert plane.intent.health("old") is Health.DRAINING, "it is out of EDS: one address stands there once"
    assert flagged(plane) == {"old", "new"}
    assert alarms(plane) == [("duplicate", "10.0.0.1:8080", Priority.TICKET)]
    explained = plane.service_status(ServiceKey("default", "web")).problems
    assert {problem.object for problem in explained if problem.pointer == "/address"} == {"old", "new"}


@pytest.mark.parametrize(("goes", "stays"), [("new", "old"), ("old", "new")])
async def test_m27_it_heals_when_one_goes(plane: ControlPlane, goes: str, stays: str) -> None:
    await register(plane, "old", "new")
    await serving(plane, "new")
    await say(plane, Delete(Ref(Kind.INSTANCE, goes)))
    await serving(plane, stays)
    assert (flagged(plane), alarms(plane)) == (set(), [])


async def test_m27_it_heals_when_one_moves(plane: ControlPlane) -> None:
    await register(plane, "old", "new")
    await serving(plane, "new")
    await register(plane, "new", address="10.0.0.2")
    await serving(plane, "old", "new")
    assert (flagged(plane), alarms(plane)) == (set(), [])


async def test_m27_a_change_of_the_older_one_does_not_make_it_newer(plane: ControlPlane) -> None:
    await register(plane, "old", "new")
    await serving(plane, "new")
    await register(plane, "old", weight=7)
    await serving(plane, "new")
    await register(plane, "old", start="another")
    await serving(plane, "old")


async def test_m27_a_restart_decides_the_same(tmp_path: Path) -> None:
    async with running_plane(tmp_path) as plane:
        await register(plane, "z-old", "a-new", "m-middle", address="10.0.0.9")
        await register(plane, "z-old", start="another", address="10.0.0.9")
        await serving(plane, "z-old")
    async with running_plane(tmp_path) as plane:
        await serving(plane, "z-old")


async def test_m27_one_whose_lease_ran_out_yields_to_one_that_speaks(plane: ControlPlane) -> None:
    await register(plane, "old", "new")
    await serving(plane, "new")
    plane.observe("lease", {"new": Signal(Health.UNHEALTHY, "its lease ran out")})
    await serving(plane, "old")
    plane.observe("lease", {"new": None})
    await serving(plane, "new")


async def test_m27_a_sidecar_that_both_name_is_what_both_claim(plane: ControlPlane) -> None:
    await register(plane, "old", address="10.0.0.2", ingress=Address(HERE, 15006))
    await register(plane, "new", address="10.0.0.3", ingress=Address(HERE, 15006))
    await serving(plane, "new")


async def test_m27_other_ports_of_one_host_are_no_claim_of_the_same(plane: ControlPlane) -> None:
    await register(plane, "old")
    await register(plane, "new", ports={"http": 8081})
    await serving(plane, "old", "new")
    assert (flagged(plane), alarms(plane)) == (set(), [])


async def test_m27_different_services_may_be_one_process_and_are_flagged_only(plane: ControlPlane) -> None:
    await register(plane, "web")
    await register(plane, "shop", service=ServiceKey("default", "shop"))
    await register(plane, "prod", service=ServiceKey("prod", "web"))
    await until(lambda: flagged(plane) == {"web", "shop", "prod"}, what="all are flagged")
    await serving(plane, "web", "shop", "prod")
    assert alarms(plane) == [("duplicate", "10.0.0.1:8080", Priority.NOTE)]
