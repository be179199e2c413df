"""Registration over HTTP: whose word counts, what is taken together, what is too much."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.feature.api.running import client_of
from tests.feature.control.plane_on_disk import running_plane
from xds.api.settings import ApiSettings
from xds.control.plane import ControlPlane
from xds.model.quota import Quotas

INSTANCE = {"service": "web", "address": "10.0.0.7", "port": 8080, "ttl": 30}


@pytest.fixture
async def known(api: httpx.AsyncClient) -> dict[str, object]:
    """An instance that its process registered twice: the second process is the one that counts."""
    await api.put("/v1/instances/a", json={**INSTANCE, "start": "first"})
    answer = await api.put("/v1/instances/a", json={**INSTANCE, "start": "second"})
    found: dict[str, object] = answer.json()
    return found


def refused(answer: httpx.Response) -> tuple[int, str, str]:
    return answer.status_code, answer.json()["code"], answer.json()["pointer"]


async def test_m67_a_new_process_at_the_same_place_is_a_new_epoch(known: dict[str, object]) -> None:
    assert (known["start"], known["epoch"], known["seq"]) == ("second", 2, 1)


async def test_r3_the_last_words_of_the_process_before_are_refused(
    api: httpx.AsyncClient, known: dict[str, object]
) -> None:
    """Heartbeat, change and deregistration alike, alone and in batches."""
    late = {"id": "a", "epoch": 1, "seq": 99}
    assert refused(await api.put("/v1/instances/a/heartbeat", json={"epoch": 1, "seq": 99}))[:2] == (409, "stale_epoch")
    assert refused(await api.put("/v1/instances/a", json={**INSTANCE, **late}))[:2] == (409, "stale_epoch")
    assert refused(await api.delete("/v1/instances/a", params={"epoch": 1})) == (409, "stale_epoch", "/epoch")
    for path in ("heartbeats:batch", "instances:deregister"):
        (result,) = (await api.post(f"/v1/{path}", json={"items": [late]})).json()["results"]
        assert result["error"]["code"] == "stale_epoch", path
    assert (await api.get("/v1/instances/a")).json()["start"] == known["start"]


async def test_r4_a_heartbeat_of_an_incarnation_that_did_not_register_creates_nothing(
    api: httpx.AsyncClient, known: dict[str, object]
) -> None:
    answer = await api.put("/v1/instances/a/heartbeat", json={"epoch": 3})
    assert refused(answer)[:2] == (404, "register_again")
    assert (await api.get("/v1/instances/a")).json()["epoch"] == known["epoch"]


async def test_m32_a_heartbeat_that_is_replayed_renews_nothing(
    api: httpx.AsyncClient, known: dict[str, object]
) -> None:
    beat = {"epoch": known["epoch"], "seq": 5}
    assert (await api.put("/v1/instances/a/heartbeat", json=beat)).status_code == 200
    assert refused(await api.put("/v1/instances/a/heartbeat", json=beat)) == (409, "stale_epoch", "/seq")


async def test_whoever_registers_again_is_alive_also_when_it_says_nothing_new(
    api: httpx.AsyncClient, plane: ControlPlane, known: dict[str, object]
) -> None:
    plane._leases._held["a"].renewed -= 20.0  # type: ignore[attr-defined]  # as if it had been silent for so long
    assert (await api.get("/v1/instances/a")).json()["lease"]["expires_in"].startswith(("9.", "10"))
    again = await api.put("/v1/instances/a", json={**INSTANCE, "start": "second"})
    assert (again.json()["revision"], again.json()["seq"]) == (known["revision"], known["seq"])
    lease = plane.lease("a")
    assert lease is not None
    assert lease.expires_in > 25.0


async def test_m03_deregistering_in_a_batch_judges_each_item_by_itself(api: httpx.AsyncClient) -> None:
    for at in (1, 2, 3):
        await api.put(f"/v1/instances/i{at}", json={**INSTANCE, "address": f"10.0.0.{at}"})
    items = [{"id": "i1"}, {"id": "ghost"}, {"id": 7}, {"id": "i2", "epoch": 2}]
    answer = (await api.post("/v1/instances:deregister", json={"items": items})).json()
    codes = [result.get("error", {}).get("code") for result in answer["results"]]
    assert (codes, answer["failed"]) == ([None, "not_found", "invalid_input", None], 2)
    assert [each["id"] for each in (await api.get("/v1/instances")).json()["items"]] == ["i3"]


async def test_r6_a_quota_is_429_for_who_is_new_and_costs_one_item_of_a_batch(tmp_path: Path) -> None:
    async with running_plane(tmp_path, quotas=Quotas(per_service=2)) as plane, client_of(plane, ApiSettings()) as api:
        items = [{**INSTANCE, "id": f"i{at}", "address": f"10.0.0.{at}"} for at in (1, 2, 3)]
        answer = (await api.post("/v1/instances:batch", json={"items": items})).json()
        assert [result.get("error", {}).get("status") for result in answer["results"]] == [None, None, 429]
        assert refused(await api.put("/v1/instances/i3", json=items[2]))[:2] == (429, "quota")
        assert (await api.put("/v1/instances/i1", json={**items[0], "weight": 1})).status_code == 200
