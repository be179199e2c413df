"""What sources see of instances, on its way to what Envoys are told, and through a restart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.feature.control.plane_on_disk import running_plane, say
from tests.feature.control.test_guard import web
from tests.harness.waiting import until
from xds.control.plane import ControlPlane
from xds.model.check import Check, CheckKind
from xds.model.declare import Put
from xds.model.health import Health
from xds.model.signal import Signal

CHECKED = Check(CheckKind.HTTP)
READY = Signal(Health.HEALTHY, "answers well")
ILL = Signal(Health.UNHEALTHY, "nobody listens", {"bad_in_a_row": 3})


async def seen(plane: ControlPlane, member: str, health: Health) -> None:
    await until(lambda: plane.intent.health(member) is health, timeout=5, what=f"{member} is {health}")


async def test_a_restart_keeps_who_was_ready_and_who_was_not(tmp_path: Path) -> None:
    """M05: neither does it let a request through to who boots, nor does it take traffic from who serves."""
    async with running_plane(tmp_path) as plane:
        for number in (1, 2, 3):
            await say(plane, Put(replace(web(number), check=CHECKED)))
        assert {plane.intent.health(f"web-{number}") for number in (1, 2, 3)} == {Health.STARTING}
        plane.observe("check", {"web-1": READY, "web-2": READY})
        await seen(plane, "web-2", Health.HEALTHY)
        plane.observe("check", {"web-2": ILL})
        await seen(plane, "web-2", Health.UNHEALTHY)
        await until(lambda: plane._loop._preserver.is_kept, timeout=5, what="it is on disk")
    async with running_plane(tmp_path) as plane:
        found = [plane.intent.health(f"web-{number}") for number in (1, 2, 3)]
        assert found == [Health.HEALTHY, Health.UNHEALTHY, Health.STARTING]


async def test_m07_a_change_of_health_is_in_the_journal_with_who_decided_and_its_numbers(tmp_path: Path) -> None:
    async with running_plane(tmp_path) as plane:
        await say(plane, Put(web(1)))
        plane.observe("check", {"web-1": ILL})
        await seen(plane, "web-1", Health.UNHEALTHY)
        await plane.housekeeping.round()
        (row,) = [row for row in await plane.store.journal() if row["kind"] == "health"]
    assert (row["key"], row["actor"], row["reason"]) == ("web-1", "check", "nobody listens")
    assert row["before"] == {"health": "healthy"}
    assert row["after"] == {"health": "unhealthy", "numbers": {"bad_in_a_row": 3}}
