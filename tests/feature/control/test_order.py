"""In which order changes are published: bad news does not wait for good news. Order is asserted, never milliseconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.feature.control.plane_on_disk import running_plane
from tests.feature.control.test_guard import endpoints, remove, served, web
from tests.harness.waiting import until
from xds.control import pace
from xds.control.loop import SLICE
from xds.model.declare import Declaration, Put
from xds.model.names import ServiceKey
from xds.wire.types import ResourceType


async def test_an_endpoint_that_goes_is_published_while_others_wait_and_takes_them_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a debounce that would never end by itself."""
    async with running_plane(tmp_path) as plane:
        monkeypatch.setattr(pace, "AT_ONCE", 1)
        monkeypatch.setattr(plane._loop, "_pace", pace.Pace(quiet=3600.0, ceiling=7200.0))
        await plane.submit([Declaration(Put(web(0)), "api:test")])
        await served(plane, 1)
        await plane.submit([Declaration(Put(web(number)), "api:test") for number in range(1, 4)])
        assert plane._loop._pace.due() is not None, "the first change after a silence went at once, these wait"
        assert endpoints(plane) == 1
        await remove(plane, [0], absence=False)
        await until(lambda: endpoints(plane) == 3, timeout=5, what="the endpoint is gone and the others are there")
        assert plane._loop._pace.due() is None


async def test_an_endpoint_that_goes_does_not_wait_for_the_translation_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its service is published alone; what else is pending keeps its place."""
    async with running_plane(tmp_path) as plane:
        monkeypatch.setattr(pace, "AT_ONCE", 1)
        monkeypatch.setattr(plane._loop, "_pace", pace.Pace(quiet=3600.0, ceiling=7200.0))
        await plane.submit([Declaration(Put(web(number)), "api:test") for number in range(2)])
        await served(plane, 2)
        others = [
            replace(web(number), id=f"o{number}", service=ServiceKey("default", f"o{number}")) for number in range(9)
        ]
        await plane.submit([Declaration(Put(other), "api:test") for other in others])
        await remove(plane, [0], absence=False)
        await served(plane, 1)
        assert {key.name for key in plane.intent.stale} == {other.service.name for other in others}


async def test_many_changes_are_published_a_slice_at_a_time_until_none_is_left(tmp_path: Path) -> None:
    async with running_plane(tmp_path) as plane:
        names = [f"s{number}" for number in range(3 * SLICE)]
        many = [replace(web(0), id=name, service=ServiceKey("default", name)) for name in names]
        await plane.submit([Declaration(Put(one), "api:test") for one in many])
        await until(lambda: not plane.intent.stale, what="everything is published")
        snapshot = plane.cache.latest()
        assert snapshot is not None
        published = {resource.name for resource in snapshot.resources(ResourceType.ENDPOINT)}
        assert {f"{name}/v1" for name in names} <= published
