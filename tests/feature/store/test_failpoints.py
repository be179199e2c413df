"""S1: kill -9 at every named point. What was acknowledged is there, what was published is durable, nobody is needed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.feature.control.plane_on_disk import running_plane, say
from tests.harness.declared import instance
from tests.harness.repo import ROOT
from xds.control.failpoints import POINTS
from xds.control.plane import ControlPlane
from xds.model.declare import Put
from xds.store.restore import make_backup

Crash = Callable[[str, int, Path, str], int]

LIVING = sorted(point for point in POINTS if not point.startswith(("migration.", "restore.")))
MIGRATING = sorted(point for point in POINTS if point.startswith("migration."))
RESTORING = sorted(point for point in POINTS if point.startswith("restore."))
LATER = {"store.opened": 1, "store.created": 1}
"""Points that a process passes once; the others are met for the second time, in the middle of things."""


@pytest.fixture(scope="module")
def crash() -> Iterator[Crash]:
    """Runs a process that dies at a failpoint; returns its exit code, -9 when it did."""
    program = subprocess.Popen(
        [sys.executable, str(ROOT / "tests/feature/store/crashing.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert program.stdin is not None
    assert program.stdout is not None
    asking, answers = program.stdin, program.stdout
    assert answers.readline() == "ready\n"

    def run(point: str, at: int, folder: Path, what: str) -> int:
        asking.write(f"{point} {at} {folder} {what}\n")
        asking.flush()
        return int(answers.readline())

    yield run
    asking.close()
    answers.close()
    assert program.wait(timeout=10) == 0


def told(folder: Path) -> tuple[set[str], set[str], int]:
    """What was acknowledged, what was removed with an acknowledgement, and the newest revision that was published."""
    acked, gone, published = set[str](), set[str](), 0
    path = folder / "told"
    for line in path.read_text().splitlines() if path.exists() else ():
        word, *rest = line.split()
        if word == "acked":
            acked |= set(rest[: rest.index("at")])
        elif word == "gone":
            gone.add(rest[0])
        else:
            published = max(published, int(rest[0]))
    return acked - gone, gone, published


async def holds_what_was_promised(plane: ControlPlane, folder: Path) -> None:
    acked, gone, published = told(folder)
    there = set(plane.intent.instances)
    assert plane.store_keeping.hold is None, "nobody is needed"
    assert acked <= there
    assert len(gone & there) <= 1, "the last removal alone may have been on its way"
    assert {f"{name}-twin" in there for name in acked if not name.endswith("-twin")} <= {True}, "no batch is half there"
    assert published <= plane.intent.revision, "nothing was published that is not durable"
    await say(plane, Put(instance("after")))


@pytest.mark.parametrize("point", LIVING)
async def test_s1_killed_while_it_lives_it_comes_back_with_all_that_it_promised(
    crash: Crash, tmp_path: Path, point: str
) -> None:
    assert crash(point, LATER.get(point, 2), tmp_path, "live") == -signal.SIGKILL, f"{point} was never met"
    async with running_plane(tmp_path, last_good=True) as plane:
        await holds_what_was_promised(plane, tmp_path)


@pytest.mark.parametrize("point", MIGRATING)
async def test_s1_killed_in_a_migration_the_next_start_finishes_it_and_loses_nothing(
    crash: Crash, tmp_path: Path, point: str
) -> None:
    async with running_plane(tmp_path) as plane:
        await say(plane, Put(instance("web-1")))
    to_first_schema(tmp_path / "fairlead.db")
    assert crash(point, 1, tmp_path, "live") == -signal.SIGKILL, f"{point} was never met"
    async with running_plane(tmp_path, last_good=True) as plane:
        assert "web-1" in plane.intent.instances
        await holds_what_was_promised(plane, tmp_path)


@pytest.mark.parametrize("point", RESTORING)
async def test_s1_killed_in_a_restore_either_state_is_whole_on_the_disk(
    crash: Crash, tmp_path: Path, point: str
) -> None:
    async with running_plane(tmp_path) as plane:
        await say(plane, Put(instance("web-1")))
        make_backup(tmp_path, tmp_path / "backup.db")
        await say(plane, Put(instance("web-2")))
    assert crash(point, 1, tmp_path, "restore") == -signal.SIGKILL, f"{point} was never met"
    (aside,) = tmp_path.glob("fairlead.db.aside-*")
    async with running_plane(aside) as plane:
        assert set(plane.intent.instances) == {"web-1", "web-2"}
    async with running_plane(tmp_path) as plane:
        assert set(plane.intent.instances) <= {"web-1"}


def to_first_schema(path: Path) -> None:
    """Make of a database what the first release wrote."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for table in ("remains", "journal_about", "journal_service", "journal_rewind", "journal_mark"):
            db.execute(f"DROP TABLE {table}")
        db.execute("PRAGMA user_version=1")
