"""Which filter is published: only one that started and configured here; a bad one never takes a good one's place."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.repo import ROOT
from tests.harness.waiting import until
from xds.cache.resource import ResourceKey
from xds.control.admission import Admitted, admit
from xds.control.clock import SystemClock
from xds.control.plane import ControlPlane
from xds.proxywasm.admission import Admission
from xds.sources.leases import WheelLeases
from xds.store.shelf import FilterShelf
from xds.store.sqlite import SqliteStore
from xds.wire.types import ResourceType

MODULE = (ROOT / "filters" / "health.wasm").read_bytes()
ECDS = ResourceKey(ResourceType.EXTENSION, "fairlead.health", "")


@pytest.fixture
def admission() -> Iterator[Admission]:
    admission = Admission()
    yield admission
    admission.close()


async def test_the_shipped_filter_is_accepted_and_kept(tmp_path: Path, admission: Admission) -> None:
    shelf = FilterShelf(tmp_path)
    admitted = await admit(MODULE, b'{"default_salt": "s"}', admission.check, shelf)
    assert admitted.problem is None
    assert shelf.load() == (MODULE, b'{"default_salt": "s"}')


@pytest.mark.parametrize(
    ("module", "configuration", "words"),
    [
        (MODULE[:1000], b"", "module"),
        (b"not wasm", b"", "module"),
        (MODULE, b'{"colour": "red"}', "at /colour: unknown field"),
        (MODULE, b"{", "configuration is wrong"),
        (MODULE, b'{"default_key": {"header": "a", "cookie": "b"}}', "/default_key"),
    ],
)
async def test_what_is_refused_is_named_and_the_last_good_one_runs(
    tmp_path: Path, admission: Admission, module: bytes, configuration: bytes, words: str
) -> None:
    shelf = FilterShelf(tmp_path)
    await admit(MODULE, b"", admission.check, shelf)
    admitted = await admit(module, configuration, admission.check, shelf)
    assert admitted.spec is not None
    assert admitted.spec.module == MODULE
    assert admitted.problem is not None
    assert words in admitted.problem.message
    assert "the filter that ran before stays" in admitted.problem.message


async def test_without_a_good_one_there_is_none_and_it_is_said(tmp_path: Path, admission: Admission) -> None:
    admitted = await admit(b"\0asm", b"", admission.check, FilterShelf(tmp_path))
    assert admitted.spec is None
    assert admitted.problem is not None
    assert "splits hold at random" in admitted.problem.message


async def test_a_damaged_shelf_is_as_good_as_an_empty_one(tmp_path: Path, admission: Admission) -> None:
    shelf = FilterShelf(tmp_path)
    await admit(MODULE, b"", admission.check, shelf)
    (kept,) = tmp_path.glob("*.wasm")
    kept.write_bytes(MODULE[:-1])
    assert shelf.load() is None


async def test_a_running_control_plane_takes_a_new_configuration_and_survives_a_bad_one(
    tmp_path: Path, admission: Admission
) -> None:
    shelf, clock, store = FilterShelf(tmp_path), SystemClock(), SqliteStore(tmp_path / "fairlead.db")
    first = await admit(MODULE, b"", admission.check, shelf)
    plane = ControlPlane(store=store, clock=clock, leases=WheelLeases(clock), filter=first)
    await plane.start()

    def version() -> str:
        snapshot = plane.cache.latest()
        resource = snapshot.get(ECDS) if snapshot else None
        return resource.version if resource else ""

    async with asyncio.TaskGroup() as group:
        running = group.create_task(plane.run())
        before = version()
        plane.use_filter(await admit(b"junk", b"", admission.check, shelf))
        assert [problem.kind for problem in plane.problems] == ["filter"]
        plane.use_filter(await admit(MODULE, b'{"default_salt": "other"}', admission.check, shelf))
        await until(lambda: version() != before, timeout=5)
        assert plane.problems == ()
        running.cancel()
    await store.close()


async def test_a_control_plane_without_a_filter_says_that_it_takes_a_restart(
    tmp_path: Path, admission: Admission
) -> None:
    clock, store = SystemClock(), SqliteStore(tmp_path / "fairlead.db")
    plane = ControlPlane(store=store, clock=clock, leases=WheelLeases(clock), filter=Admitted(None))
    await plane.start()
    plane.use_filter(await admit(MODULE, b"", admission.check, FilterShelf(tmp_path)))
    assert "restart" in plane.problems[0].message
    await store.close()
