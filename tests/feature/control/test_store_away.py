"""S2, S4: the store is full, locked or hangs. Writes are refused in words, all else goes on, and it heals by itself."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.feature.control.plane_on_disk import running_plane, say
from tests.harness.declared import instance
from tests.harness.waiting import until
from xds.cache.resource import ResourceKey
from xds.control.plane import ControlPlane
from xds.model.alarm import Priority
from xds.model.declare import Declaration, Put
from xds.model.health import Health
from xds.model.problems import Unavailable
from xds.model.signal import Signal
from xds.wire.types import ResourceType


class Disk:
    """A folder with little room, and more of it later: a file system of half a mebibyte, or a limit on file sizes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_mounted = not subprocess.call(
            ["mount", "-t", "tmpfs", "-o", "size=512k", "fairlead-test", str(folder)], stderr=subprocess.DEVNULL
        )
        if not self.is_mounted:  # not root: the kernel's limit on a file's size says no at the same place
            resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))

    def grow(self) -> None:
        if self.is_mounted:
            subprocess.check_call(["mount", "-o", "remount,size=64m", str(self.folder)])
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def close(self) -> None:
        if self.is_mounted:
            subprocess.check_call(["umount", "-l", str(self.folder)])
        else:
            self.grow()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path)
    yield disk
    disk.close()


def endpoints(plane: ControlPlane) -> str:
    """The version of what Envoys are sent of web's endpoints."""
    snapshot = plane.cache.latest()
    found = snapshot.get(ResourceKey(ResourceType.ENDPOINT, "web/v1", "default")) if snapshot else None
    return found.version if found else ""


def alarms(plane: ControlPlane) -> list[tuple[str, Priority]]:
    return [(alarm.kind, alarm.priority) for alarm in plane.alarms.standing]


async def everything_else_goes_on(plane: ControlPlane) -> None:
    """Heartbeats are taken, and health that changes is pushed."""
    assert plane.renew("web-1") is not None
    before = endpoints(plane)
    plane.observe("check", {"web-1": Signal(Health.UNHEALTHY, "nobody listens")})
    await until(lambda: endpoints(plane) != before, timeout=10, what="it is pushed")


async def test_s2_a_full_disk_refuses_writes_and_nothing_else_and_heals_when_there_is_room(disk: Disk) -> None:
    async with running_plane(disk.folder) as plane:
        await say(plane, Put(instance("web-1", ttl=60.0)))
        refused = None
        for number in range(2000):
            declaration = Declaration(Put(instance(f"filler-{number}", metadata={"filling": "x" * 200})), "api:test")
            (outcome,) = await plane.submit([declaration])
            if isinstance(outcome, Unavailable):
                refused = outcome
                break
        assert refused is not None
        assert refused.code == "store"
        known = len(plane.intent.instances)
        await everything_else_goes_on(plane)
        await plane.housekeeping.round()
        assert alarms(plane) == [("store", Priority.PAGE)]
        assert plane.store_keeping.age() > 0.0

        disk.grow()
        await say(plane, Put(instance("after")))
        assert len(plane.intent.instances) == known + 1
        await plane.housekeeping.round()
        assert (alarms(plane), plane.store_keeping.age()) == ([], 0.0)


async def test_s4_a_lock_that_somebody_else_holds_is_waited_for_a_while_and_no_observation_waits_with_it(
    tmp_path: Path,
) -> None:
    async with running_plane(tmp_path) as plane:
        await say(plane, Put(instance("web-1", ttl=60.0)))
        with closing(sqlite3.connect(tmp_path / "fairlead.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            writing = asyncio.ensure_future(plane.submit([Declaration(Put(instance("web-2")), "api:test")]))  # noqa: TID251 - awaited below
            await everything_else_goes_on(plane)
            assert not writing.done(), "all that went on while the writer waited"
            (outcome,) = await writing
            assert isinstance(outcome, Unavailable)
            assert "locked" in outcome.message
            other.execute("ROLLBACK")
        await say(plane, Put(instance("web-2")))
        assert "web-2" in plane.intent.instances


async def test_s4_the_journal_is_read_while_the_writer_waits(tmp_path: Path) -> None:
    async with running_plane(tmp_path) as plane:
        await say(plane, Put(instance("web-1")))
        with closing(sqlite3.connect(tmp_path / "fairlead.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            writing = asyncio.ensure_future(say(plane, Put(instance("web-2"))))  # noqa: TID251 - awaited below
            rows = await plane.store.journal()
            assert [row["key"] for row in rows] == ["default/web", "web-1"]
            assert not writing.done()
            other.execute("ROLLBACK")
            await writing
