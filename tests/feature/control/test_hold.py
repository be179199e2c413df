"""S3: a store that is lost, empty, shrunken or damaged is never published as an empty mesh.

Real files are damaged as disks and people damage them. The last known good state is served in hold mode, what was found
is left as it is or set aside whole, and an operator's decision is one commit.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from tests.feature.control.plane_on_disk import running_plane, say
from tests.harness.waiting import until
from xds.cache.group import Group
from xds.control.hold import Keep
from xds.control.plane import ControlPlane
from xds.control.ports import JournalQuery
from xds.model.alarm import Priority
from xds.model.declare import Declaration, Delete, Put
from xds.model.health import Health
from xds.model.instance import Instance
from xds.model.intent import Kind, Ref
from xds.model.names import ServiceKey
from xds.model.problems import Conflict, Unavailable
from xds.model.signal import Signal
from xds.wire.types import ResourceType

WEB = ServiceKey.of("web")
COUNT = 20


def web(number: int) -> Instance:
    return Instance(f"web-{number}", WEB, "127.0.0.1", {"http": 8000 + number}, version="v1", ttl=60.0)


def written(number: int) -> Declaration:
    return Declaration(Put(web(number)), "api:test", idempotency=f"key-{number}")


async def fill(folder: Path) -> dict[str, str]:
    """Make a store with one service of twenty, keep its good state, and return what is published."""
    async with running_plane(folder, last_good=True) as plane:
        await plane.submit([written(number) for number in range(COUNT)])
        await plane.store_keeping.keep_now()
        return published(plane)


def published(plane: ControlPlane) -> dict[str, str]:
    """The content of every endpoint resource, by name."""
    snapshot = plane.cache.latest()
    assert snapshot is not None
    seen = snapshot.view(ResourceType.ENDPOINT, Group("everything", ("default", ""))).all()
    return {name: resource.version for name, resource in seen.items()}


def db_of(folder: Path) -> Path:
    return folder / "fairlead.db"


def remove(folder: Path) -> None:
    for path in folder.glob("fairlead.db*"):
        path.unlink()


def empty_file(folder: Path) -> None:
    remove(folder)
    db_of(folder).touch()


def smash_header(folder: Path) -> None:
    with db_of(folder).open("r+b") as file:
        file.write(b"\x00" * 100)


def not_a_database(folder: Path) -> None:
    remove(folder)
    db_of(folder).write_bytes(b"This is a diary, not a database. " * 1000)


def flip_bits_in_the_table(folder: Path) -> None:
    """Turn over every bit of the pages behind the first: the tables, as a controller that went mad leaves them."""
    data = bytearray(db_of(folder).read_bytes())
    for at in range(4096, len(data)):
        data[at] ^= 0xFF
    db_of(folder).write_bytes(data)


def cut_off(folder: Path) -> None:
    """A file of which only the first pages came back from the disk."""
    with db_of(folder).open("r+b") as file:
        file.truncate(4096 * 3)


def shrink(folder: Path) -> None:
    """Rows that vanish without a line in the journal."""
    with closing(sqlite3.connect(db_of(folder))) as db:
        db.execute("DELETE FROM state WHERE kind = 'instance' AND id > 5")
        db.commit()


def go_back(folder: Path) -> None:
    """An older copy in place of the file, as a deleted or torn log leaves it: acknowledged writes are missing."""
    with closing(sqlite3.connect(db_of(folder))) as db:
        db.execute("UPDATE revision SET value = 0")
        db.execute("DELETE FROM journal")
        db.commit()


FAULTS: list[tuple[Callable[[Path], None], str, bool]] = [
    (remove, "missing or empty", False),
    (empty_file, "missing or empty", False),
    (smash_header, "damaged", True),
    (not_a_database, "damaged", True),
    (flip_bits_in_the_table, "damaged", True),
    (cut_off, "damaged", True),
    (shrink, "journal does not say why", False),
    (go_back, "lost writes that were acknowledged", False),
]


@asynccontextmanager
async def damaged(folder: Path, damage: Callable[[Path], None]) -> AsyncIterator[tuple[ControlPlane, dict[str, str]]]:
    """Run a control plane again after its store was damaged, with what was published before."""
    before = await fill(folder)
    damage(folder)
    async with running_plane(folder, last_good=True) as plane:
        yield plane, before


@pytest.mark.parametrize(("damage", "words", "set_aside"), FAULTS, ids=[fault[0].__name__ for fault in FAULTS])
async def test_s3_the_mesh_keeps_what_it_had_and_nothing_is_accepted(
    tmp_path: Path, damage: Callable[[Path], None], words: str, set_aside: bool
) -> None:
    async with damaged(tmp_path, damage) as (plane, before):
        assert published(plane) == before
        assert plane.store_keeping.hold is not None
        assert words in plane.store_keeping.hold.reason
        with pytest.raises(Unavailable, match="fairlead hold") as caught:
            await say(plane, Put(web(99)))
        assert caught.value.code == "hold"
        await plane.housekeeping.round()
        assert [(a.kind, a.priority) for a in plane.alarms.standing] == [("hold", Priority.PAGE)]
    aside = [path.name for path in tmp_path.glob("*.aside-*/*")]
    assert ("fairlead.db" in aside) == set_aside, "a bad file is moved aside whole; what can be read is left in place"


def torn(log: Path) -> None:
    """The end of the log never reached the disk."""
    with log.open("r+b") as file:
        file.truncate(log.stat().st_size // 2)


def flipped(log: Path) -> None:
    """One bit in the middle of the log: SQLite takes what is before it, and says that all is well."""
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 1
    log.write_bytes(data)


@pytest.mark.parametrize("damage", [torn, flipped, Path.unlink], ids=["torn", "flipped", "deleted"])
async def test_s3_a_log_that_lost_acknowledged_writes_is_noticed(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    """After a crash most of the state is in the log alone; SQLite itself reports none of these."""
    crashed = tmp_path / "crashed"
    async with running_plane(tmp_path / "alive", last_good=True) as plane:
        for number in range(COUNT):
            await say(plane, Put(web(number)))
        await until(lambda: plane._loop._pace.due() is None, timeout=10, what="everything is published")
        await plane.store_keeping.keep_now()
        before = published(plane)
        shutil.copytree(tmp_path / "alive", crashed)
    damage(crashed / "fairlead.db-wal")
    async with running_plane(crashed, last_good=True) as plane:
        assert plane.store_keeping.hold is not None
        assert published(plane) == before


async def test_s3_in_hold_heartbeats_are_taken_and_health_is_pushed(tmp_path: Path) -> None:
    async with damaged(tmp_path, remove) as (plane, before):
        lease = plane.renew("web-1")
        assert lease is not None
        assert lease.expires_in == 60.0
        plane.observe("check", {"web-1": Signal(Health.UNHEALTHY, "nobody listens")})
        await until(lambda: published(plane) != before, timeout=5, what="it is published")


async def test_s3_an_operator_keeps_what_is_served_and_it_is_in_the_store_from_then_on(tmp_path: Path) -> None:
    async with damaged(tmp_path, shrink) as (plane, before):
        hold = plane.store_keeping.hold
        assert hold is not None
        assert hold.differences == {"instance": 16}
        revision = await plane.store_keeping.decide(Keep.SERVED, "api:test", "the rows were lost")
        assert plane.store_keeping.hold is None
        assert revision == plane.intent.revision
        assert published(plane) == before
        await say(plane, Put(web(99)))
        rows = await plane.store.journal(JournalQuery(after=COUNT + 1))
        assert {(row["actor"], row["reason"]) for row in rows if row["revision"] == revision} == {
            ("api:test", "the rows were lost")
        }
    async with running_plane(tmp_path, last_good=True) as plane:
        assert plane.store_keeping.hold is None
        assert len(plane.intent.instances) == COUNT + 1


async def test_s3_an_operator_keeps_what_the_store_holds_and_envoys_are_sent_that(tmp_path: Path) -> None:
    async with damaged(tmp_path, shrink) as (plane, _):
        await plane.store_keeping.decide(Keep.STORED, "api:test", "they are gone for good")
        assert len(plane.intent.instances) == 4
        await say(plane, Put(web(99)))
        with pytest.raises(Conflict, match="nothing is held"):
            await plane.store_keeping.decide(Keep.SERVED, "api:test", "")
    async with running_plane(tmp_path, last_good=True) as plane:
        assert plane.store_keeping.hold is None
        assert len(plane.intent.instances) == 5


@pytest.mark.parametrize(("keep", "there"), [(Keep.SERVED, COUNT), (Keep.STORED, 5)])
async def test_s3_a_write_that_is_repeated_after_the_decision_is_not_taken_for_done(
    tmp_path: Path, keep: Keep, there: int
) -> None:
    """The receipt of something that the store has lost is none, also after another restart."""
    async with damaged(tmp_path, shrink) as (plane, _):
        await plane.store_keeping.decide(keep, "api:test", "")
    async with running_plane(tmp_path, last_good=True) as plane:
        await plane.submit([written(COUNT - 1)])
        assert len(plane.intent.instances) == there


async def test_s3_a_hold_that_nobody_decided_stands_after_a_restart(tmp_path: Path) -> None:
    async with damaged(tmp_path, not_a_database) as (_, before):
        pass
    async with running_plane(tmp_path, last_good=True) as plane:
        assert plane.store_keeping.hold is not None
        assert published(plane) == before


async def test_s3_removals_that_the_journal_tells_of_are_believed(tmp_path: Path) -> None:
    """The copy is up to thirty seconds old: what an operator removed meanwhile does not come back."""
    await fill(tmp_path)
    async with running_plane(tmp_path) as plane:
        gone = [Delete(Ref(Kind.INSTANCE, f"web-{number}")) for number in range(15)]
        await plane.submit([Declaration(change, "api:test", operator=True) for change in gone])
    async with running_plane(tmp_path, last_good=True) as plane:
        assert plane.store_keeping.hold is None
        assert len(plane.intent.instances) == 5


async def test_s3_a_damaged_copy_does_not_count_and_a_store_without_one_is_refused_in_words(tmp_path: Path) -> None:
    await fill(tmp_path)
    (copy,) = (tmp_path / "last-good").glob("*.db")
    data = bytearray(copy.read_bytes())
    data[-1] ^= 1
    copy.write_bytes(data)
    not_a_database(tmp_path)
    with pytest.raises(Unavailable, match="cannot be opened as a Fairlead database"):
        async with running_plane(tmp_path, last_good=True):
            pass
    assert db_of(tmp_path).read_bytes().startswith(b"This is a diary")


async def test_s3_a_store_that_lost_something_while_it_ran_is_not_copied_over_what_is_good(tmp_path: Path) -> None:
    async with running_plane(tmp_path, last_good=True) as plane:
        await plane.submit([Declaration(Put(web(number)), "api:test") for number in range(COUNT)])
        await plane.store_keeping.keep_now()
        kept = [path.name for path in (tmp_path / "last-good").glob("*.db")]
        await say(plane, Put(web(COUNT)))
        shrink(tmp_path)
        await plane.store_keeping.keep_now()
        assert [path.name for path in (tmp_path / "last-good").glob("*.db")] == kept
        assert [(alarm.kind, alarm.priority) for alarm in plane.alarms.standing] == [("last_good", Priority.PAGE)]


async def test_the_good_state_is_copied_when_it_changed_and_one_copy_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "last-good"
    async with running_plane(tmp_path, last_good=True) as plane:
        await say(plane, Put(web(1)))
        await plane.store_keeping.keep_now()
        first = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
        await plane.store_keeping.keep_now()
        assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == first
        await say(plane, Put(web(2)))
        await plane.store_keeping.keep_now()
        assert len([*folder.iterdir()]) == 1
    shutil.rmtree(folder)
