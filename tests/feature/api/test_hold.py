"""A store that is not believed, as operators see it: alarms, 503 for writes, and their decision (S3, M57)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.feature.api.running import client_of
from tests.feature.control.plane_on_disk import running_plane, say
from tests.harness.declared import instance
from xds.api.settings import ApiSettings
from xds.control.plane import ControlPlane
from xds.model.declare import Put


@pytest.fixture
async def held(tmp_path: Path) -> AsyncIterator[tuple[ControlPlane, httpx.AsyncClient]]:
    """A control plane whose store was deleted while it was down."""
    async with running_plane(tmp_path, last_good=True) as plane:
        await say(plane, Put(instance("web-1", ttl=5.0)))
        await plane.store_keeping.keep_now()
    for path in tmp_path.glob("fairlead.db*"):
        path.unlink()
    async with running_plane(tmp_path, last_good=True) as plane, client_of(plane, ApiSettings()) as client:
        await plane.housekeeping.round()
        yield plane, client


async def test_reads_and_heartbeats_go_on_and_writes_are_told_why_not(
    held: tuple[ControlPlane, httpx.AsyncClient],
) -> None:
    _, api = held
    assert (await api.get("/v1/instances")).json()["items"][0]["id"] == "web-1"
    assert (await api.put("/v1/instances/web-1/heartbeat")).status_code == 200
    answer = await api.delete("/v1/instances/web-1")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "hold", "30")
    (alarm,) = (await api.get("/v1/alarms")).json()["items"]
    assert (alarm["kind"], alarm["priority"]) == ("hold", "page")
    assert alarm["since"]


async def test_an_operator_sees_both_sides_and_decides_once(held: tuple[ControlPlane, httpx.AsyncClient]) -> None:
    plane, api = held
    found = (await api.get("/v1/hold")).json()
    assert found["served"] == {"revision": 1, "objects": 2}
    assert found["stored"] == {"revision": 0, "objects": 0}
    assert found["differences"] == {"instance": 1, "service": 1}

    answer = await api.post("/v1/hold:release", json={"keep": "served", "reason": "somebody deleted it"})
    assert (answer.status_code, answer.json()) == (200, {"revision": 2})
    assert (await api.get("/v1/hold")).json()["held"] is False
    assert (await api.delete("/v1/instances/web-1")).status_code == 204
    await plane.housekeeping.round()
    assert (await api.get("/v1/alarms")).json()["items"] == []
    assert (await api.post("/v1/hold:release", json={"keep": "stored"})).status_code == 409
