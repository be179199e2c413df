"""The journal on its real file: found by time, service and object, bounded, and able to tell what stood when (M07)."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.harness.declared import instance, route, service
from xds.control.ports import Commit, Entry, JournalQuery, Note
from xds.model.health import Health
from xds.model.intent import Declared, Ref, ref
from xds.model.names import ServiceKey
from xds.model.problems import Gone
from xds.store import journal
from xds.store.settings import StoreSettings
from xds.store.sqlite import SqliteStore

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
WEB, SHOP = ServiceKey.of("web"), ServiceKey("prod", "shop")


class Clock:
    """A wall clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def monotonic(self) -> float:
        return 0.0

    def wall(self) -> datetime:
        return self.now


class Book:
    """A store, and what a test writes into it: one commit a minute from noon on."""

    def __init__(self, path: Path, **settings: float) -> None:
        self.clock = Clock()
        self.path = path
        self.store = SqliteStore(path, settings=StoreSettings(**settings), clock=self.clock)  # type: ignore[arg-type]  # the keywords are those of StoreSettings
        self.revision = 0
        self.there: dict[Ref, Declared] = {}

    async def put(self, *objects: Declared, minutes: float = 1, gone: Sequence[Declared] = ()) -> None:
        entries = [Entry(ref(each), self.there.get(ref(each)), each, "api:test", "because") for each in objects]
        entries += [Entry(ref(each), each, None, "api:test", "gone") for each in gone]
        self.revision += 1
        await self.store.commit(Commit(self.revision, self.clock.now, tuple(entries)))
        self.there |= {ref(each): each for each in objects}
        for each in gone:
            del self.there[ref(each)]
        self.clock.now += timedelta(minutes=minutes)

    async def note(self, name: str, before: Health, after: Health, minutes: float = 1) -> None:
        note = Note(
            self.clock.now, "health", name, {"health": before}, {"health": after}, "check", "probes", "default/web"
        )
        await self.store.note([note])
        self.clock.now += timedelta(minutes=minutes)

    async def keys(self, **query: object) -> list[str]:
        rows = await self.store.journal(JournalQuery(**query))  # type: ignore[arg-type]  # the keywords are its own
        return [str(row["key"]) for row in rows]


@pytest.fixture
async def book(tmp_path: Path) -> AsyncIterator[Book]:
    book = Book(tmp_path / "fairlead.db")
    await book.store.load()
    yield book
    await book.store.close()


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


async def test_rows_are_found_by_time(book: Book) -> None:
    for number in range(5):
        await book.put(instance(f"web-{number}"))
    assert await book.keys(since=at(3)) == ["web-3", "web-4"]
    assert await book.keys(until=at(1.5)) == ["web-0", "web-1"]
    assert await book.keys(since=at(1), until=at(3)) == ["web-1", "web-2"]
    assert await book.keys(since=at(9)) == []


@pytest.mark.parametrize("indexed", [True, False])
async def test_rows_are_found_by_service_and_by_object_whether_they_are_indexed_yet_or_not(
    book: Book, indexed: bool
) -> None:
    await book.put(service(), instance("web-1"), instance("shop-1", service=SHOP), minutes=1)
    await book.put(route("web.all"), instance("web-1", weight=5))
    await book.note("web-1", Health.HEALTHY, Health.UNHEALTHY)
    if indexed:
        await book.store.tidy()
        await book.put(instance("web-1", weight=6))
    expected = ["default/web", "web-1", "default/web.all", "web-1", "web-1", *(["web-1"] if indexed else [])]
    assert await book.keys(service="default/web") == expected
    assert await book.keys(service="prod/shop") == ["shop-1"]
    assert await book.keys(about="web-1", kind="health") == ["web-1"]
    assert len(await book.keys(about="web-1", service="default/web", since=at(1))) == 2 + indexed
    assert await book.keys(service="default/web", limit=2) == expected[:2]
    rows = await book.store.journal(JournalQuery(service="default/web"))
    assert {row["service"] for row in rows} == {"default/web"}


async def test_a_question_about_a_service_reads_its_own_rows_and_not_the_journal(book: Book) -> None:
    await book.put(*(instance(f"web-{number}") for number in range(50)), instance("shop-1", service=SHOP))
    await book.store.tidy()
    with closing(sqlite3.connect(book.path)) as db:
        plan = db.execute(
            "EXPLAIN QUERY PLAN SELECT * FROM journal_about JOIN journal ON journal.id = journal_about.id "
            "WHERE about = 'service prod/shop' AND journal_about.id BETWEEN 1 AND 99"
        ).fetchall()
    words = " ".join(row[3] for row in plan)
    assert "SEARCH journal_about USING PRIMARY KEY" in words
    assert "SCAN" not in words


async def test_pages_follow_each_other_without_a_gap(book: Book) -> None:
    await book.put(*(instance(f"web-{number}") for number in range(7)))
    first = await book.store.journal(JournalQuery(limit=4))
    last = first[-1]["id"]
    assert isinstance(last, int)
    rest = await book.store.journal(JournalQuery(after=last))
    assert [row["key"] for row in (*first, *rest)] == [f"web-{number}" for number in range(7)]


async def test_t1_a_clock_that_was_set_back_hides_no_row(book: Book) -> None:
    await book.put(instance("before"))
    book.clock.now = at(-60)
    await book.put(instance("back"))
    book.clock.now = at(30)
    await book.put(instance("later"))
    assert await book.keys(since=at(-1)) == ["before", "later"]
    assert await book.keys(until=at(-1)) == ["back"]
    assert await book.keys(since=at(-90), until=at(90)) == ["before", "back", "later"]


async def test_notes_that_waited_for_the_store_stand_where_they_were_written_and_say_when_they_were_seen(
    book: Book,
) -> None:
    await book.put(instance("web-1"), minutes=10)
    late = Note(at(2), "health", "web-1", "healthy", "unhealthy", "check", "probes")
    await book.store.note([late])
    (row,) = await book.store.journal(JournalQuery(since=at(9)))
    assert row["reason"] == "probes (observed 2026-01-02T12:02:00.000+00:00)"
    assert row["revision"] == 1


# -- bounded -----------------------------------------------------------------------------------------------------


async def test_the_journal_forgets_what_is_too_old_and_what_is_too_much(tmp_path: Path) -> None:
    book = Book(tmp_path / "fairlead.db", journal_rows=1000, journal_age=3600.0)
    await book.put(*(instance(f"old-{number}") for number in range(1500)), minutes=1)
    await book.store.tidy()
    assert await book.keys(limit=1) == ["old-500"]
    assert await book.keys(about="old-3") == []
    book.clock.now = at(50)
    await book.put(instance("new"))
    book.clock.now = at(90)
    await book.store.tidy()
    assert await book.keys() == ["new"]
    book.clock.now = at(900)
    await book.store.tidy()
    assert await book.keys() == ["new"], "the newest row tells when the last change was"
    await book.store.close()
    with closing(sqlite3.connect(book.path)) as db:
        assert db.execute("SELECT count(*) FROM journal_about WHERE id < 1501").fetchone() == (0,)


async def test_forgetting_goes_in_slices_between_which_a_commit_has_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "SLICE", 10)
    book = Book(tmp_path / "fairlead.db", journal_rows=1000, tidy_slices=3)
    await book.put(*(instance(f"web-{number}") for number in range(1100)))
    await book.store.tidy()
    assert await book.keys(limit=1) == ["web-30"]
    await book.store.close()


async def test_under_load_the_index_gets_a_slice_at_each_look_and_the_rest_when_there_is_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "SLICE", 10)
    book = Book(tmp_path / "fairlead.db")
    await book.put(*(instance(f"web-{number}") for number in range(journal.BUSY + 1)))
    found = []
    for _ in range(2):
        await book.store.tidy()
        with closing(sqlite3.connect(book.path)) as db:
            found.append(journal.indexed(db))
    await book.store.close()
    assert found == [10, 10 + 10 * StoreSettings().tidy_slices]


# -- what each revision changed ----------------------------------------------------------------------------------


async def test_each_revision_is_told_once_in_order_with_all_that_it_changed(book: Book) -> None:
    await book.put(service(), instance("web-1"))
    await book.put(instance("web-1", weight=7))
    await book.note("web-1", Health.HEALTHY, Health.UNHEALTHY)
    await book.put(gone=[instance("web-1", weight=7)])
    found = await book.store.revisions(0, 100)
    assert [(each.number, [(c.kind, c.key, c.service, c.what) for c in each.changes]) for each in found] == [
        (1, [("service", "default/web", "default/web", "created"), ("instance", "web-1", "default/web", "created")]),
        (2, [("instance", "web-1", "default/web", "changed")]),
        (3, [("instance", "web-1", "default/web", "removed")]),
    ]
    assert [each.number for each in await book.store.revisions(1, 1)] == [2], "whole revisions, until there are enough"
    assert len((await book.store.revisions(0, 1))[0].changes) == 2


async def test_a_revision_that_the_journal_has_forgotten_is_gone_in_words(tmp_path: Path) -> None:
    book = Book(tmp_path / "fairlead.db", journal_rows=1000)
    for number in range(15):
        await book.put(*(instance(f"web-{number}-{each}") for each in range(100)))
    await book.store.tidy()
    with pytest.raises(Gone, match="does not reach back to revision 2"):
        await book.store.revisions(2, 10)
    assert [each.number for each in await book.store.revisions(13, 200)] == [14, 15]
    assert await book.store.revisions(15, 10) == []
    await book.store.close()


# -- moments -----------------------------------------------------------------------------------------------------


async def test_a_moment_is_what_was_declared_then(book: Book) -> None:
    first, second, third = instance("a"), instance("a", weight=1), instance("b")
    await book.put(first)
    await book.put(second, third)
    await book.put(gone=[third])
    await book.put(first)
    for minutes, expected in (
        (-1, []),
        (0, [first]),
        (0.5, [first]),
        (1, [second, third]),
        (2, [second]),
        (9, [first]),
    ):
        found = await book.store.moment(at(minutes))
        assert list(found.objects.values()) == expected, minutes
    assert [(await book.store.moment(at(minutes))).revision for minutes in (-1, 0, 1.5, 9)] == [0, 1, 2, 4]


async def test_a_moment_has_the_health_of_those_whose_health_changed_since(book: Book) -> None:
    await book.put(instance("a"))
    await book.note("a", Health.HEALTHY, Health.UNHEALTHY)
    await book.note("a", Health.UNHEALTHY, Health.UNSTABLE)
    assert (await book.store.moment(at(0))).health == {"a": Health.HEALTHY}
    assert (await book.store.moment(at(1))).health == {"a": Health.UNHEALTHY}
    assert (await book.store.moment(at(2))).health == {}, "nothing changed since: what is known now holds"


async def test_a_moment_before_the_journal_begins_is_gone_in_words(tmp_path: Path) -> None:
    book = Book(tmp_path / "fairlead.db", journal_rows=1000)
    for number in range(15):
        await book.put(*(instance(f"web-{number}-{each}") for each in range(100)))
    await book.store.tidy()
    with pytest.raises(Gone, match="no longer known"):
        await book.store.moment(at(2))
    assert len((await book.store.moment(at(10))).objects) == 1100
    await book.store.close()
