"""What was acknowledged is there after a crash, a full disk or a second start, and nothing is half done.

Real processes are killed and real limits are hit. Rows M15 and C7: declarations survive `kill -9`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.repo import ROOT
from tests.harness.soak import lasting
from xds.control.ports import Loaded
from xds.model.instance import Instance
from xds.model.problems import Unavailable
from xds.store.sqlite import SqliteStore

Writer = subprocess.Popen[str]


@pytest.fixture
def writer() -> Iterator[Callable[..., Writer]]:
    """Starts a program that writes to a database for ever; it is killed when the test ends."""
    started: list[Writer] = []

    def start(*arguments: object) -> Writer:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests/feature/store/writer.py"), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=10)


def line(process: Writer) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def acknowledged(process: Writer, at_least: int) -> int:
    """Read until `at_least` further revisions were acknowledged; return the last one."""
    last = 0
    for _ in range(at_least):
        last = int(line(process))
    return last


def killed(process: Writer) -> int:
    """Kill -9 and return the last revision that it said was acknowledged, 0 when it said nothing more."""
    process.kill()
    rest, _ = process.communicate(timeout=10)
    words = [word for word in rest.split("\n")[:-1] if word.isdigit()]  # the last, unfinished line counts for nothing
    return int(words[-1]) if words else 0


async def everything(path: Path) -> Loaded:
    store = SqliteStore(path)
    loaded = await store.load()
    await store.close()
    return loaded


def batches(loaded: Loaded) -> dict[int, set[str]]:
    """The instances of each revision that only that revision wrote."""
    found: dict[int, set[str]] = defaultdict(set)
    for each, revision in loaded.objects:
        assert isinstance(each, Instance)
        assert each.labels["at"] == str(revision)
        if each.id.startswith("r"):
            found[revision].add(each.id)
    return found


async def test_s1_everything_acknowledged_survives_kill_9_and_nothing_is_half_there(
    tmp_path: Path, writer: Callable[..., Writer]
) -> None:
    path, last = tmp_path / "data" / "fairlead.db", 0
    for round_ in range(lasting(4, 40)):
        process = writer(path)
        assert line(process) == "open"
        last = max(acknowledged(process, 5 + 7 * (round_ % 8)), last)
        last = max(killed(process), last)
        loaded = await everything(path)
        assert loaded.revision in {last, last + 1}  # a commit whose acknowledgement was not heard any more may be there
        assert not loaded.problems
        found = batches(loaded)
        assert set(found) == set(range(1, loaded.revision + 1))
        assert all(len(ids) == 5 for ids in found.values())
        assert [kept.receipt.revision for kept in loaded.kept] == list(range(1, loaded.revision + 1))
        last = loaded.revision


async def test_s4_a_second_control_plane_is_refused_and_told_which_process_holds_the_database(
    tmp_path: Path, writer: Callable[..., Writer]
) -> None:
    path = tmp_path / "fairlead.db"
    process = writer(path)
    assert line(process) == "open"
    with pytest.raises(Unavailable, match=f"held by another control plane .process {process.pid}.") as caught:
        SqliteStore(path)
    assert caught.value.code == "store_held"
    acknowledged(process, 3)
    last = killed(process)
    assert (await everything(path)).revision >= last


async def test_a_link_to_the_database_is_the_same_database(tmp_path: Path) -> None:
    path, link = tmp_path / "fairlead.db", tmp_path / "link.db"
    store = SqliteStore(path)
    link.symlink_to(path)
    try:
        with pytest.raises(Unavailable, match=f"process {os.getpid()}"):
            SqliteStore(link)
    finally:
        await store.close()
    await everything(link)


async def test_s2_a_full_disk_refuses_whole_batches_loses_nothing_and_heals(
    tmp_path: Path, writer: Callable[..., Writer]
) -> None:
    """The limit on file sizes stands for the disk; it is lifted when the writer has met it."""
    path = tmp_path / "fairlead.db"
    process = writer(path, 300_000)
    assert line(process) == "open"
    said = [line(process)]
    while not said[-1].startswith("full"):
        said.append(line(process))
        assert len(said) < 2000
    assert said[-1] == f"full {len(said) - 1} store"
    assert process.stdin is not None
    process.stdin.write("there is room again\n")
    process.stdin.flush()
    after = acknowledged(process, 20)
    assert after == len(said) - 1 + 20
    killed(process)
    found = batches(await everything(path))
    assert all(len(ids) == 5 for ids in found.values())
    assert set(range(1, after + 1)) <= set(found)
