"""Notes on their way into the journal: nobody waits for them, and a store that is away costs a bounded memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from xds.control import notes as limits
from xds.control.clock import SystemClock
from xds.control.notes import Notes
from xds.control.ports import Note
from xds.model.intent import Intent
from xds.model.problems import Unavailable
from xds.store.sqlite import SqliteStore

AT = datetime(2026, 1, 2, tzinfo=UTC)


def note(name: str) -> Note:
    return Note(AT, "health", name, "healthy", {"health": "unhealthy"}, "check", "3 probes failed")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "fairlead.db")
    yield store
    await store.close()


async def test_a_note_is_a_row_of_the_journal_once_it_is_written(store: SqliteStore) -> None:
    notes = Notes(store, Intent(), SystemClock())
    notes.add(note("web-1"))
    assert await store.journal() == []
    assert await notes.write() == 1
    assert await notes.write() == 0
    (row,) = await store.journal()
    assert {**row, "at": ""} == {
        "id": 1,
        "revision": 0,
        "at": "",
        "actor": "check",
        "reason": "3 probes failed (observed 2026-01-02T00:00:00.000+00:00)",
        "service": "",
        "kind": "health",
        "key": "web-1",
        "before": "healthy",
        "after": {"health": "unhealthy"},
    }


async def test_notes_keep_their_order_in_whatever_slices_they_are_written(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "AT_ONCE", 2)
    notes = Notes(store, Intent(), SystemClock())
    for number in range(5):
        notes.add(note(f"web-{number}"))
    assert await notes.write() == 5
    assert [row["key"] for row in await store.journal()] == [f"web-{number}" for number in range(5)]


async def test_a_store_that_is_away_keeps_notes_waiting_up_to_a_bound_and_the_rest_is_counted(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: object) -> None:
        raise Unavailable("the disk is full", code="store")

    monkeypatch.setattr(limits, "MOST", 3)
    notes = Notes(store, Intent(), SystemClock())
    with monkeypatch.context() as broken:
        broken.setattr(store, "note", away)
        for number in range(5):
            notes.add(note(f"web-{number}"))
        assert (await notes.write(), notes.lost) == (0, 2)
    assert await notes.write() == 4
    rows = await store.journal()
    assert [row["key"] for row in rows] == ["web-0", "web-1", "web-2", "notes"]
    assert "2 notes found no room" in str(rows[-1]["reason"])
