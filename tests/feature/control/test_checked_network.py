"""Checks of a control plane that runs: heartbeats that stop, a network that is cut (H2), thousands that hang (H5)."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.feature.ads.neighbour import neighbour
from tests.harness import upstream
from tests.harness.far import FarNetwork
from tests.harness.plane import Json, Plane
from tests.harness.ports import free_port
from tests.harness.processes import Programs
from tests.harness.soak import lasting
from tests.harness.waiting import wait_until

CUT_S = lasting(0.3, 60.0)
HANGING = lasting(300, 5_000)
PUSHES = lasting(10, 200)
TIMEOUT_S = 2.0


@pytest.fixture
def plane(programs: Programs, tmp_path: Path) -> Iterator[Plane]:
    plane = Plane(programs, tmp_path / "data", "--filter", "none", "--log-level", "warning")
    plane.start()
    yield plane
    plane.close()


def health(plane: Plane) -> set[str]:
    return {each["health"] for each in plane.get("instances")["items"]}


def alarms(plane: Plane) -> set[str]:
    return {alarm["kind"] for alarm in plane.get("alarms")["items"]}


def test_m04_an_instance_whose_check_is_its_own_heartbeat_is_as_healthy_as_it_says_it_is(plane: Plane) -> None:
    """Through the API alone: it starts, is ready after two heartbeats, falls after one that is missing, returns."""
    check = {"kind": "ttl", "interval": "1s", "fall": 1}
    plane.put("instances/web-1", {"service": "web", "address": "10.0.0.7", "port": 8080, "ttl": "60s", "check": check})
    assert plane.get("instances/web-1")["health"] == "starting"

    def becomes(wanted: str, *, beats: bool) -> Json | None:
        if beats:
            assert "error" not in plane.post("heartbeats:batch", {"items": [{"id": "web-1"}]})["results"][0]
        found = plane.get("instances/web-1")
        return found if found["health"] == wanted else None

    found = wait_until(lambda: becomes("healthy", beats=True), 20, what="it is ready")
    assert found["verdict"]["decided_by"] == "check"
    found = wait_until(lambda: becomes("unhealthy", beats=False), 20, what="it is silent")
    assert found["verdict"]["why"] == "no heartbeat within 1 s"
    wait_until(lambda: becomes("healthy", beats=True), 20, what="it speaks again")


def test_h2_a_checker_whose_network_is_really_cut_judges_nobody_says_so_and_sees_again(
    plane: Plane, programs: Programs
) -> None:
    ports = [8001 + at for at in range(6)]
    check = {"kind": "http", "path": "/", "fast": True, "rise": 1}
    with FarNetwork(programs) as far:
        apps = far.apps(*ports)
        for port in ports:
            where = {"service": f"s{port % 3}", "address": far.address, "port": port}
            plane.put(f"instances/far-{port}", {**where, "check": check})
        wait_until(lambda: health(plane) == {"healthy"}, 20, what="all are ready")
        far.cut()
        wait_until(lambda: "blind" in alarms(plane), 20, what="it says that it is blind")
        enough = time.monotonic() + CUT_S
        while time.monotonic() < enough:
            assert health(plane) == {"healthy"}, "frozen as it was"
        far.mend()
        wait_until(lambda: "blind" not in alarms(plane), 30, what="two good rounds, and it sees again")
        assert health(plane) == {"healthy"}
        apps.kill()
        wait_until(lambda: health(plane) == {"unhealthy"}, 20, what="who is refused is not blind")


async def test_h5_pushes_are_as_quick_beside_hundreds_of_checks_that_hang(plane: Plane, programs: Programs) -> None:
    """Every target accepts the connection and says nothing, so that each check lasts until its deadline."""
    port = free_port()
    mute = programs.start([sys.executable, upstream.__file__, f"mute+v1:{port}@0.0.0.0"], name="mute")
    wait_until(lambda: "up" in mute.output(), what="it listens")
    plane.put("services/web", {})
    async with neighbour(plane) as other:
        await other.pushes(PUSHES)
        quiet = statistics.median(other.took)
        check = {"kind": "http", "path": "/", "interval": "2s", "timeout": f"{TIMEOUT_S:g}s"}
        for first in range(0, HANGING, 500):
            items = [
                {"id": f"slow-{at}", "service": "slow", "address": f"127.9.{at // 250}.{at % 250 + 1}", "port": port}
                for at in range(first, min(first + 500, HANGING))
            ]
            found = plane.post("instances:batch", {"items": [{**item, "check": check} for item in items]})
            assert not [result for result in found["results"] if "error" in result]
        wait_until(lambda: "did not finish" in plane.get("instances/slow-0")["verdict"]["why"], 30, what="they hang")
        other.took.clear()
        await other.pushes(PUSHES)
        beside = statistics.median(other.took)
    print(f"H5: {quiet * 1e3:.0f} ms a push, {beside * 1e3:.0f} ms beside {HANGING} checks that hang")  # noqa: T201 - for make soak
    assert beside < quiet + TIMEOUT_S / 4
    assert {each["health"] for each in plane.get("instances", service="slow")["items"]} == {"starting"}, (
        "late, or not answered: nobody is called dead who was never ready"
    )
