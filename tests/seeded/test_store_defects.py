"""Seeded defects of store and journal: with a rule broken on purpose, the test that holds it has to fail."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import pytest

from tests.feature.control import test_hold, test_store_away
from tests.harness.disks import LossyDisk
from tests.unit.store import test_journal
from xds.control import committer
from xds.store import backup, doubt, journal, lastgood
from xds.store.sqlite import SqliteStore

Patch = pytest.MonkeyPatch
Rule = Callable[[Path], Awaitable[None]]


def believe_any_store(patch: Patch) -> None:
    """S3: whatever the store holds is published."""
    patch.setattr(doubt, "doubt", lambda *_: "")


def throw_the_bad_file_away(patch: Patch) -> None:
    """S3: a damaged file is removed instead of set aside."""

    def remove(path: Path, at: datetime) -> Path:
        backup.remove(path)
        return path.with_name(f"{at:%Y}")

    patch.setattr(doubt, "set_aside", remove)


def trust_any_copy(patch: Patch) -> None:
    """S3: the last known good state is used without a look at its digest."""
    real = lastgood._digest
    told = lambda path: path.stem.partition("-")[2] if path.suffix == ".db" else real(path)  # noqa: E731 - as short as it is
    patch.setattr(lastgood, "_digest", told)


def copy_a_loss(patch: Patch) -> None:
    """S3: a store that lost something is copied over what was good."""
    real = lastgood.LastGood._write
    patch.setattr(lastgood.LastGood, "_write", lambda self, *_: real(self, 0, 0))


def believe_the_next_flush(patch: Patch) -> None:
    """S3: a flush that failed is forgotten when the next one succeeds."""
    patch.setattr(SqliteStore, "_hear", lambda *_: None)


def wait_for_the_store(patch: Patch) -> None:
    """S4: the loop waits for each commit to its end."""
    patch.setattr(committer, "PATIENCE", 60.0)


def take_the_clock_at_its_word(patch: Patch) -> None:
    """T1: nobody notes that the clock was set back."""
    patch.setattr(SqliteStore, "_keep_time", lambda *_: None)


def forget_rows_and_keep_their_index(patch: Patch) -> None:
    """M07: the index outgrows the journal."""
    patch.setattr(journal, "FORGOTTEN", "SELECT :last")


async def lost_store(folder: Path) -> None:
    await test_hold.test_s3_the_mesh_keeps_what_it_had_and_nothing_is_accepted(
        folder, test_hold.remove, "missing or empty", False
    )


async def damaged_store(folder: Path) -> None:
    await test_hold.test_s3_the_mesh_keeps_what_it_had_and_nothing_is_accepted(
        folder, test_hold.not_a_database, "damaged", True
    )


async def lossy_disk(folder: Path) -> None:
    disk = LossyDisk(folder)
    try:
        await test_store_away.test_s3_a_flush_that_failed_is_not_acknowledged_and_no_later_one_is_believed(disk)
    finally:
        disk.close()


async def clock_set_back(folder: Path) -> None:
    async with book(folder) as found:
        await test_journal.test_t1_a_clock_that_was_set_back_hides_no_row(found)


@asynccontextmanager
async def book(folder: Path) -> AsyncIterator[test_journal.Book]:
    found = test_journal.Book(folder / "fairlead.db")
    await found.store.load()
    try:
        yield found
    finally:
        await found.store.close()


DEFECTS: list[tuple[Callable[[Patch], None], Rule]] = [
    (believe_any_store, lost_store),
    (throw_the_bad_file_away, damaged_store),
    (trust_any_copy, test_hold.test_s3_a_damaged_copy_does_not_count_and_a_store_without_one_is_refused_in_words),
    (copy_a_loss, test_hold.test_s3_a_store_that_lost_something_while_it_ran_is_not_copied_over_what_is_good),
    (believe_the_next_flush, lossy_disk),
    (
        wait_for_the_store,
        test_store_away.test_s4_a_lock_that_somebody_else_holds_is_waited_for_a_while_and_no_observation_waits_with_it,
    ),
    (take_the_clock_at_its_word, clock_set_back),
    (
        forget_rows_and_keep_their_index,
        test_journal.test_the_journal_forgets_what_is_too_old_and_what_is_too_much,
    ),
]


@pytest.mark.parametrize(("defect", "rule"), DEFECTS, ids=[defect.__name__ for defect, _ in DEFECTS])
async def test_a_broken_rule_is_noticed(
    defect: Callable[[Patch], None], rule: Rule, tmp_path: Path, monkeypatch: Patch
) -> None:
    await rule(tmp_path)
    for path in tmp_path.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    with monkeypatch.context() as patch:
        defect(patch)
        with pytest.raises((AssertionError, BaseExceptionGroup, pytest.fail.Exception)):
            await rule(tmp_path)
