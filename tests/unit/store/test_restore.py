"""Backups that are proved, and restores that nobody's writes get under."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.harness.declared import instance
from xds.control.ports import Commit, Entry
from xds.model.intent import Ref, ref
from xds.model.problems import FairleadError, InvalidInput, Unavailable
from xds.store.restore import examine, make_backup, restore
from xds.store.settings import DATABASE, LAST_GOOD
from xds.store.sqlite import SqliteStore

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


async def write(folder: Path, *revisions: int) -> None:
    store = SqliteStore(folder / DATABASE, last_good=folder / LAST_GOOD)
    await store.load()
    for revision in revisions:
        each = instance(f"web-{revision}")
        await store.commit(Commit(revision, AT, (Entry(ref(each), None, each, "api:test"),)))
    await store.keep_good(0, 0)
    await store.close()


async def names(folder: Path) -> tuple[list[Ref], int, bool]:
    store = SqliteStore(folder / DATABASE, last_good=folder / LAST_GOOD)
    loaded = await store.load()
    await store.close()
    return [ref(declared) for declared, _ in loaded.objects], loaded.revision, loaded.doubt is not None


async def test_a_backup_is_made_while_somebody_writes_and_holds_what_was_there(tmp_path: Path) -> None:
    await write(tmp_path, 1)
    store = SqliteStore(tmp_path / DATABASE)
    await store.load()
    copy = tmp_path / "copy.db"
    found = make_backup(tmp_path, copy)
    await store.commit(Commit(2, AT, (Entry(ref(instance("x")), None, instance("x"), "api:test"),)))
    await store.close()
    assert (found.revision, found.objects, found.lines) == (1, 1, 1)
    assert examine(copy) == found


async def test_a_restore_brings_back_what_was_and_sets_aside_what_is_and_revisions_go_on(tmp_path: Path) -> None:
    await write(tmp_path, 1)
    make_backup(tmp_path, tmp_path / "copy.db")
    await write(tmp_path, 2, 3)
    found, aside = restore(tmp_path / "copy.db", tmp_path, AT)
    assert found.revision == 1
    assert await names(tmp_path) == ([ref(instance("web-1"))], 4, False), "and no hold: the operator's word counts"
    assert aside is not None
    assert {path.name for path in aside.iterdir()} >= {DATABASE, LAST_GOOD}
    assert len((await names(aside))[0]) == 3


async def test_a_restore_into_an_empty_folder_needs_nothing(tmp_path: Path) -> None:
    await write(tmp_path / "old", 1)
    make_backup(tmp_path / "old", tmp_path / "copy.db")
    _, aside = restore(tmp_path / "copy.db", tmp_path / "new", AT)
    assert aside is None
    assert (await names(tmp_path / "new"))[0] == [ref(instance("web-1"))]


def smash(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[5000:9000] = b"\xa5" * 4000
    path.write_bytes(data)


def of_a_newer_release(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version=99")


@pytest.mark.parametrize(
    ("damage", "error", "words"),
    [
        (smash, Unavailable, "damaged"),
        (of_a_newer_release, Unavailable, "newer release"),
        (lambda path: path.write_bytes(b"a diary" * 999), InvalidInput, "no backup"),
        (lambda path: path.write_bytes(b""), InvalidInput, "empty"),
        (Path.unlink, InvalidInput, "no backup"),
    ],
    ids=["damaged", "newer", "a diary", "empty", "not there"],
)
async def test_a_backup_that_is_not_good_changes_nothing(
    tmp_path: Path, damage: Callable[[Path], object], error: type[FairleadError], words: str
) -> None:
    await write(tmp_path, 1, 2)
    copy = tmp_path / "copy.db"
    make_backup(tmp_path, copy)
    damage(copy)
    with pytest.raises(error, match=words):
        restore(copy, tmp_path, AT)
    assert await names(tmp_path) == ([ref(instance("web-1")), ref(instance("web-2"))], 2, False)
    assert not [*tmp_path.glob("*.aside-*")]


async def test_a_restore_is_refused_while_a_control_plane_has_the_folder(tmp_path: Path) -> None:
    await write(tmp_path, 1)
    make_backup(tmp_path, tmp_path / "copy.db")
    store = SqliteStore(tmp_path / DATABASE)
    with pytest.raises(Unavailable, match="held by another control plane"):
        restore(tmp_path / "copy.db", tmp_path, AT)
    await store.close()


async def test_a_backup_replaces_nothing_and_needs_a_store(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nothing to back up"):
        make_backup(tmp_path, tmp_path / "copy.db")
    await write(tmp_path, 1)
    (tmp_path / "copy.db").touch()
    with pytest.raises(InvalidInput, match="replaces nothing"):
        make_backup(tmp_path, tmp_path / "copy.db")


async def test_a_migration_leaves_a_copy_of_the_schema_before(tmp_path: Path) -> None:
    await write(tmp_path, 1)
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as db:
        for table in ("journal_about", "journal_service", "journal_rewind", "journal_mark"):
            db.execute(f"DROP TABLE {table}")
        db.execute("PRAGMA user_version=2")
    assert (await names(tmp_path))[0] == [ref(instance("web-1"))]
    with closing(sqlite3.connect(tmp_path / f"{DATABASE}.schema-2")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)
        assert db.execute("SELECT key FROM state").fetchall() == [("web-1",)]
