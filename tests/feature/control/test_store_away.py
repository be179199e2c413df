"""S2, S3, S4: the disk is full, read-only or loses what it took, the store is locked or hangs.

Writes are refused in words, all else goes on, and it heals by itself where that is safe.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.feature.control.plane_on_disk import running_plane, say
from tests.harness.declared import instance
from tests.harness.disks import LossyDisk, ReadOnlyDisk, SmallDisk
from tests.harness.soak import lasting
from tests.harness.waiting import until
from xds.cache.resource import ResourceKey
from xds.control.plane import ControlPlane
from xds.model.alarm import Priority
from xds.model.declare import Declaration, Put
from xds.model.health import Health
from xds.model.problems import Unavailable
from xds.model.signal import Signal
from xds.wire.types import ResourceType


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    disk = SmallDisk(tmp_path)
    yield disk
    disk.close()


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[ReadOnlyDisk]:
    disk = ReadOnlyDisk(tmp_path)
    yield disk
    disk.close()


@pytest.fixture
def lossy(tmp_path: Path) -> Iterator[LossyDisk]:
    disk = LossyDisk(tmp_path)
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
    turned = Health.HEALTHY if plane.intent.health("web-1") is Health.UNHEALTHY else Health.UNHEALTHY
    plane.observe("check", {"web-1": Signal(turned, "so it looks")})
    await until(lambda: endpoints(plane) != before, timeout=10, what="it is pushed")


async def refused(plane: ControlPlane) -> Unavailable:
    """Register until it is refused, and say in which words."""
    for number in range(2000):
        declaration = Declaration(Put(instance(f"filler-{number}", metadata={"filling": "x" * 200})), "api:test")
        (outcome,) = await plane.submit([declaration])
        if isinstance(outcome, Unavailable):
            assert f"filler-{number}" not in plane.intent.instances
            return outcome
    raise AssertionError("every write was accepted")


def names(plane: ControlPlane) -> set[str]:
    return set(plane.intent.instances)


async def test_s2_a_full_disk_refuses_writes_and_nothing_else_and_heals_when_there_is_room(disk: SmallDisk) -> None:
    async with running_plane(disk.folder) as plane:
        await say(plane, Put(instance("web-1", ttl=60.0)))
        assert (await refused(plane)).code == "store"
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


async def test_s2_a_disk_that_turned_read_only_refuses_writes_and_nothing_else_and_nothing_acknowledged_is_lost(
    read_only: ReadOnlyDisk,
) -> None:
    async with running_plane(read_only.folder) as plane:
        await say(plane, Put(instance("web-1", ttl=60.0)))
        read_only.fail(plane.store)
        assert (await refused(plane)).code == "store"
        await everything_else_goes_on(plane)
        assert [row["key"] for row in await plane.store.journal()] == ["default/web", "web-1"]
        await plane.housekeeping.round()
        assert ("store", Priority.PAGE) in alarms(plane)
        acknowledged = names(plane)
    read_only.repair()
    async with running_plane(read_only.folder) as plane:
        assert names(plane) == acknowledged
        await say(plane, Put(instance("after")))


async def test_s3_a_flush_that_failed_is_not_acknowledged_and_no_later_one_is_believed(lossy: LossyDisk) -> None:
    async with running_plane(lossy.folder) as plane:
        await say(plane, Put(instance("web-1", ttl=60.0)))
        lossy.fail(plane.store)
        first = await refused(plane)
        assert (first.code, "fsync failed" in first.message) == ("store_failed", True)
        await everything_else_goes_on(plane)
        await plane.housekeeping.round()
        assert ("store_failed", Priority.PAGE) in alarms(plane)

        lossy.heal()  # what is flushed now is kept, and nobody says what was not
        acknowledged = names(plane)
        assert (await refused(plane)).code == "store_failed"
        assert names(plane) == acknowledged
    lossy.forget()
    async with running_plane(lossy.folder) as plane:
        assert acknowledged <= names(plane)
        assert len(names(plane) - acknowledged) <= 1, "the one that was refused may be there"
        await say(plane, Put(instance("after")))
        await plane.housekeeping.round()
        assert alarms(plane) == []


async def test_s4_a_lock_that_somebody_else_holds_is_waited_for_a_while_and_no_observation_waits_with_it(
    tmp_path: Path,
) -> None:
    async with running_plane(tmp_path) as plane:
        await say(plane, Put(instance("web-1", ttl=60.0)))
        with closing(sqlite3.connect(tmp_path / "fairlead.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            writing = asyncio.ensure_future(plane.submit([Declaration(Put(instance("web-2")), "api:test")]))  # noqa: TID251 - awaited below
            await until(lambda: plane._loop.committer.is_busy, what="it is on its way to the store")
            await everything_else_goes_on(plane)
            assert not writing.done(), "all that went on while the writer waited"
            (outcome,) = await writing
            assert isinstance(outcome, Unavailable)
            assert "locked" in outcome.message
            enough = time.monotonic() + lasting(0.0, 60.0)
            while time.monotonic() < enough:
                assert (await refused(plane)).code == "store"
                await everything_else_goes_on(plane)
            other.execute("ROLLBACK")

        async def accepted() -> bool:
            (outcome,) = await plane.submit([Declaration(Put(instance("web-2")), "api:test")])
            return not isinstance(outcome, Unavailable)

        await until(accepted, timeout=20, what="whatever waited before it is through")
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
