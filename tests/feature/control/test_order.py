"""In which order changes are published: bad news does not wait for good news. Order is asserted, never milliseconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.feature.control.plane_on_disk import running_plane
from tests.feature.control.test_guard import endpoints, remove, served, web
from tests.harness.waiting import until
from xds.control import pace
from xds.model.declare import Declaration, Put


async def test_an_endpoint_that_goes_is_published_while_others_wait_and_takes_them_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a debounce that would never end by itself."""
    async with running_plane(tmp_path) as plane:
        monkeypatch.setattr(plane._loop, "_pace", pace.Pace(quiet=3600.0, ceiling=7200.0))
        await plane.submit([Declaration(Put(web(0)), "api:test")])
        await served(plane, 1)
        await plane.submit([Declaration(Put(web(number)), "api:test") for number in range(1, 4)])
        assert plane._loop._pace.due() is not None, "the first change after a silence went at once, these wait"
        assert endpoints(plane) == 1
        await remove(plane, [0], absence=False)
        await until(lambda: endpoints(plane) == 3, timeout=5, what="the endpoint is gone and the others are there")
        assert plane._loop._pace.due() is None
