"""What the shrink guard holds, listed and released over HTTP."""

from __future__ import annotations

import httpx
import pytest

from xds.control.plane import ControlPlane
from xds.model.declare import Declaration, Delete
from xds.model.intent import Kind, Ref


@pytest.fixture
async def held(api: httpx.AsyncClient, plane: ControlPlane) -> list[str]:
    """Six of ten instances of web that fell silent together; their ids."""
    for number in range(10):
        document = {"service": "web", "address": f"10.0.0.{number}", "port": 8080, "version": "v1"}
        answer = await api.put(f"/v1/instances/web-{number}", json=document)
        assert answer.status_code == 201, answer.text
    ids = [f"web-{number}" for number in range(6)]
    removals = [Delete(Ref(Kind.INSTANCE, name)) for name in ids]
    await plane.submit(
        [Declaration(each, "lease", "the lease ran out", operator=True, absence=True) for each in removals]
    )
    return ids


async def test_what_is_held_is_listed_in_pages_and_marked_in_the_explanation(
    api: httpx.AsyncClient, held: list[str]
) -> None:
    first = (await api.get("/v1/guard", params={"limit": 4})).json()
    rest = (await api.get("/v1/guard", params={"limit": 4, "after": first["next"]})).json()
    assert [item["id"] for item in first["items"] + rest["items"]] == held
    assert first["items"][0]["address"] == "10.0.0.0:8080"
    assert (await api.get("/v1/guard", params={"env": "other"})).json()["items"] == []
    explained = (await api.get("/v1/services/web:explain")).json()
    assert [each["id"] for each in explained["instances"] if each["held"]] == held
    assert [problem["kind"] for problem in explained["problems"]] == ["guard"]
    assert (await api.get("/v1/instances/web-0")).status_code == 404, "the registry forgot it"


async def test_released_they_go_and_the_journal_says_who_and_why(
    api: httpx.AsyncClient, plane: ControlPlane, held: list[str]
) -> None:
    assert (await api.post("/v1/guard:release", json={"service": "shop"})).json()["released"] == []
    answer = await api.post("/v1/guard:release", json={"service": "web", "reason": "the rack is gone"})
    assert (answer.status_code, answer.json()["released"]) == (200, held)
    assert (await api.get("/v1/guard")).json()["items"] == []
    assert (await api.get("/v1/problems")).json()["items"] == []
    last = [(row["actor"], row["reason"]) for row in await plane.store.journal()][-6:]
    assert last == [("api:anonymous", "the rack is gone")] * 6


async def test_a_held_instance_may_be_deleted_like_any(api: httpx.AsyncClient, held: list[str]) -> None:
    assert (await api.delete(f"/v1/instances/{held[0]}")).status_code == 204
    assert (await api.delete(f"/v1/instances/{held[0]}")).status_code == 404
