"""The SQLite file: what is kept in it, whose files are left alone, and what a damaged row costs."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.harness.declared import instance, route, service
from xds.control.ports import Commit, Entry, JournalQuery, Kept, Loaded, Receipt, Remains, Remnant
from xds.model.health import Health
from xds.model.instance import Instance
from xds.model.intent import Declared, Kind, Ref, ref
from xds.model.problems import Unavailable
from xds.model.view import Member
from xds.store.sqlite import SqliteStore
from xds.wire.types import ResourceType

AT = datetime(2026, 1, 2, 3, 4, 5, 678_900, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fairlead.db"


def put(*objects: Declared, before: Declared | None = None) -> tuple[Entry, ...]:
    return tuple(Entry(ref(each), before, each, "api:test", "because") for each in objects)


def gone(declared: Declared) -> Entry:
    return Entry(ref(declared), declared, None, "api:test")


async def commit(store: SqliteStore, revision: int, entries: Sequence[Entry], *kept: Kept) -> None:
    await store.commit(Commit(revision, AT, tuple(entries), kept))


async def loaded(path: Path) -> Loaded:
    store = SqliteStore(path)
    try:
        return await store.load()
    finally:
        await store.close()


async def filled(path: Path, *batches: Sequence[Entry]) -> None:
    store = SqliteStore(path)
    await store.load()
    for at, entries in enumerate(batches, 1):
        await commit(store, at, entries)
    await store.close()


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


def refused(path: Path, words: str) -> None:
    with pytest.raises(Unavailable, match=words) as caught:
        SqliteStore(path)
    assert caught.value.code == "store"


# -- kept --------------------------------------------------------------------------------------------------------


async def test_a_new_file_is_empty_at_revision_0(path: Path) -> None:
    assert await loaded(path) == Loaded()


async def test_objects_come_back_with_the_revision_of_their_last_change(path: Path) -> None:
    await filled(
        path, put(instance("a"), instance("b"), service()), put(instance("a", weight=1)), [gone(instance("b"))]
    )
    back = await loaded(path)
    assert {ref(declared): revision for declared, revision in back.objects} == {
        Ref(Kind.INSTANCE, "a"): 2,
        Ref(Kind.SERVICE, "default/web"): 1,
    }
    assert back.revision == 3


async def test_what_comes_back_after_a_removal_is_one_object(path: Path) -> None:
    await filled(path, put(instance()), [gone(instance())], put(instance(weight=2)), put(instance(weight=3)))
    assert (await loaded(path)).objects == ((instance(weight=3), 4),)


async def test_a_commit_is_on_disk_when_it_returns(path: Path) -> None:
    """WAL with synchronous=FULL: the log is flushed at every commit (sqlite.org/pragma.html#pragma_synchronous)."""
    store = SqliteStore(path)
    assert await store._run(lambda: store._db.execute("PRAGMA journal_mode").fetchone()) == ("wal",)
    assert await store._run(lambda: store._db.execute("PRAGMA synchronous").fetchone()) == (2,)
    await store.close()


async def test_receipts_are_kept_oldest_first_whatever_became_of_their_objects(path: Path) -> None:
    store = SqliteStore(path)
    receipts = [
        Kept("key-1", "print-1", Receipt(Ref(Kind.INSTANCE, "web-1"), instance(), 1)),
        Kept("key-2", "print-2", Receipt(Ref(Kind.INSTANCE, "web-1"), None, 2)),
    ]
    await commit(store, 1, put(instance()), receipts[0])
    await commit(store, 2, [gone(instance())], receipts[1])
    await store.close()
    assert (await loaded(path)).kept == tuple(receipts)


async def test_only_the_last_receipts_are_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xds.store.commits.KEPT_RECEIPTS", 3)
    store = SqliteStore(path)
    for at in range(1, 8):
        await commit(store, at, (), Kept(f"key-{at}", "", Receipt(Ref(Kind.INSTANCE, "x"), None, at)))
    await store.close()
    assert [kept.key for kept in (await loaded(path)).kept] == ["key-5", "key-6", "key-7"]


async def test_the_journal_tells_what_changed_from_what_to_what_by_whom_and_why(path: Path) -> None:
    store = SqliteStore(path)
    await commit(store, 1, put(instance()))
    await commit(store, 2, put(instance(weight=1), before=instance()))
    await commit(store, 3, [gone(instance(weight=1))])
    rows = await store.journal()
    assert [(row["id"], row["revision"], row["kind"], row["key"]) for row in rows] == [
        (at, at, "instance", "web-1") for at in (1, 2, 3)
    ]
    assert (rows[0]["actor"], rows[0]["reason"], rows[0]["at"]) == (
        "api:test",
        "because",
        "2026-01-02T03:04:05.678+00:00",
    )
    stored = json.loads(json.dumps([[row["before"], row["after"]] for row in rows]))
    assert [[side and side["weight"] for side in sides] for sides in stored] == [[None, 100], [100, 1], [1, None]]
    assert [row["id"] for row in await store.journal(JournalQuery(after=1, limit=1))] == [2]
    await store.close()


# -- refused -----------------------------------------------------------------------------------------------------


async def test_a_newer_schema_is_refused_in_words_and_left_as_it_is(path: Path) -> None:
    await filled(path, put(instance()))
    change(path, "PRAGMA journal_mode=DELETE", "PRAGMA user_version=4")
    before = path.read_bytes()
    refused(path, "has schema 4, this release knows 3")
    assert path.read_bytes() == before
    change(path, "PRAGMA user_version=3")
    assert len((await loaded(path)).objects) == 1


def test_another_programs_database_is_refused_and_left_as_it_is(path: Path) -> None:
    for version in (0, 1, 7):
        path.unlink(missing_ok=True)
        change(path, "CREATE TABLE theirs (x)", f"PRAGMA user_version={version}")
        before = path.read_bytes()
        refused(path, "not one of Fairlead's")
        assert path.read_bytes() == before


def test_what_is_no_database_is_refused_and_left_as_it_is(path: Path) -> None:
    path.write_bytes(b"This is a diary, not a database. " * 100)
    refused(path, "cannot be opened as a Fairlead database")
    assert path.read_bytes().startswith(b"This is a diary")


def test_a_path_that_cannot_be_a_file_is_refused_in_words(tmp_path: Path) -> None:
    refused(tmp_path, "cannot be opened")
    (tmp_path / "file").touch()
    refused(tmp_path / "file" / "fairlead.db", "cannot be used")


async def test_after_a_refusal_the_lock_is_free(path: Path) -> None:
    path.write_bytes(b"no database" * 200)
    refused(path, "cannot be opened")
    path.unlink()
    assert await loaded(path) == Loaded()


# -- damaged -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE state SET body = x'00ff' WHERE key = 'b'",
        "UPDATE state SET body = 'text' WHERE key = 'b'",
        "UPDATE state SET body = 7 WHERE key = 'b'",
        "UPDATE state SET kind = 'overlay' WHERE key = 'b'",
        "UPDATE state SET revision = 'soon' WHERE key = 'b'",
    ],
)
async def test_a_row_that_cannot_be_read_costs_itself_only_and_stays(path: Path, damage: str) -> None:
    await filled(path, put(instance("a"), instance("b"), instance("c")))
    change(path, damage)
    back = await loaded(path)
    assert [ref(declared).key for declared, _ in back.objects] == ["a", "c"]
    (problem,) = back.problems
    assert problem.object == "b"
    assert "the row is left as it is" in problem.message
    assert await loaded(path) == back


async def test_who_declares_a_damaged_object_anew_replaces_its_row(path: Path) -> None:
    await filled(path, put(instance("a"), instance("b")))
    change(path, "UPDATE state SET body = x'00' WHERE key = 'a'")
    store = SqliteStore(path)
    await store.load()
    await commit(store, 2, put(instance("a", weight=5)))
    await commit(store, 3, put(instance("new")))
    await store.close()
    back = await loaded(path)
    assert not back.problems
    assert {(ref(declared).key, revision) for declared, revision in back.objects} == {("a", 2), ("b", 1), ("new", 3)}


async def test_a_receipt_that_cannot_be_read_is_forgotten_and_nothing_else(path: Path) -> None:
    store = SqliteStore(path)
    kept = [Kept(f"key-{at}", "", Receipt(Ref(Kind.INSTANCE, "web-1"), instance(), 1)) for at in range(3)]
    await commit(store, 1, put(instance()), *kept)
    await store.close()
    change(
        path, "UPDATE receipt SET body = x'00' WHERE key = 'key-1'", "UPDATE receipt SET kind = '?' WHERE key = 'key-2'"
    )
    back = await loaded(path)
    assert [each.key for each in back.kept] == ["key-0"]
    assert len(back.objects) == 1


# -- failing -----------------------------------------------------------------------------------------------------


async def test_a_batch_that_fails_in_the_middle_leaves_nothing_and_the_next_one_works(path: Path) -> None:
    store = SqliteStore(path)
    await commit(store, 1, put(instance("a")))
    await store._run(
        lambda: store._db.execute(
            "CREATE TEMP TRIGGER fail BEFORE INSERT ON state WHEN NEW.key = 'c' "
            "BEGIN SELECT RAISE(ABORT, 'worn out'); END"
        )
    )
    with pytest.raises(Unavailable, match="worn out") as caught:
        await commit(store, 2, [*put(instance("b")), gone(instance("a")), *put(instance("c"))])
    assert caught.value.code == "store"
    assert len(await store.journal()) == 1
    await commit(store, 2, put(instance("a", weight=1), instance("d")))
    await store.close()
    back = await loaded(path)
    assert {(ref(declared).key, revision) for declared, revision in back.objects} == {("a", 2), ("d", 2)}


async def test_a_value_that_cannot_be_stored_costs_its_batch_and_not_the_store(path: Path) -> None:
    store = SqliteStore(path)
    with pytest.raises(Unavailable):
        await store.commit(Commit(1, AT, (Entry(ref(instance()), None, instance(), "api:\ud800"),)))
    with pytest.raises(Unavailable):
        await store.commit(Commit(2**70, AT, put(instance())))
    await commit(store, 1, put(route(), service()))
    await store.close()
    back = await loaded(path)
    assert (len(back.objects), back.revision) == (2, 1)


async def test_a_database_that_somebody_else_locks_is_unavailable_until_it_is_free(path: Path) -> None:
    store = SqliteStore(path)
    await store._run(lambda: store._db.execute("PRAGMA busy_timeout=50"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked"):
            await commit(store, 1, put(instance()))
    await commit(store, 1, put(instance()))
    await store.close()


async def test_commits_handed_in_together_are_made_in_order(path: Path) -> None:
    store = SqliteStore(path)
    await asyncio.gather(*(commit(store, at, put(instance(weight=at))) for at in range(1, 20)))
    await store.close()
    assert (await loaded(path)).objects == ((instance(weight=19), 19),)


async def test_what_remains_is_kept_as_a_whole_in_place_of_what_remained_before(path: Path) -> None:
    remnant = Remnant(ResourceType.CLUSTER, "web/v1", "default", b"\x00x")
    held = Member(instance("web-3"), Health.UNHEALTHY, held=True)
    both = Remains((remnant,), (instance("web-2"),), (held,))
    store = SqliteStore(path)
    await store.preserve(Remains((), (instance("web-1"),)))
    await store.preserve(both)
    await store.close()
    assert (await loaded(path)).remains == both


async def test_a_damaged_row_of_what_remains_costs_itself(path: Path) -> None:
    store = SqliteStore(path)
    await store.preserve(Remains((), (instance("web-1"), instance("web-2"))))
    await store.close()
    change(path, "UPDATE remains SET body = 'x' WHERE name = 'web-1'")
    assert (await loaded(path)).remains == Remains((), (instance("web-2"),))


async def test_a_database_of_the_first_schema_is_brought_up_to_date_and_loses_nothing(path: Path) -> None:
    await filled(path, put(instance("web-1")))
    later = ("remains", "journal_about", "journal_service", "journal_rewind", "journal_mark")
    change(path, *(f"DROP TABLE {table}" for table in later), "PRAGMA user_version=1")
    store = SqliteStore(path)
    assert [declared.id for declared, _ in (await store.load()).objects if isinstance(declared, Instance)] == ["web-1"]
    await store.preserve(Remains((), (instance("web-2"),)))
    await store.close()
    assert (await loaded(path)).remains.leaving == (instance("web-2"),)
