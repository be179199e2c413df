"""If-Match, If-None-Match and Idempotency-Key (fault A4)."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from xds.control.plane import ControlPlane

INSTANCE = {"service": "web", "address": "10.0.0.9", "port": 8080, "version": "v1"}


async def test_an_answer_carries_the_revision_that_the_next_write_may_match(web: httpx.AsyncClient) -> None:
    tag = (await web.get("/v1/services/web")).headers["etag"]
    changed = await web.put("/v1/services/web", json={"timeout": "3s"}, headers={"if-match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag
    assert (await web.get("/v1/services/web")).headers["etag"] == changed.headers["etag"]


@pytest.mark.parametrize("path", ["services/web", "routes/web.api", "gateways/edge", "instances/a"])
async def test_a4_a_stale_revision_is_refused_and_nothing_changes(
    web: httpx.AsyncClient, plane: ControlPlane, path: str
) -> None:
    body = {"routes": {"service": "web"}, "instances": INSTANCE}.get(path.split("/", maxsplit=1)[0], {})
    await web.put(f"/v1/{path}", json=body)
    before = plane.intent.revision
    for method, sent in (("PUT", body), ("DELETE", None)):
        answer = await web.request(method, f"/v1/{path}", json=sent, headers={"if-match": '"999"'})
        assert (answer.status_code, answer.json()["code"]) == (412, "stale_revision")
    assert plane.intent.revision == before


async def test_a4_of_two_operators_who_saw_the_same_one_loses(web: httpx.AsyncClient) -> None:
    rollout = await web.post("/v1/rollouts", json={"service": "web", "version": "v2", "plan": [{"weight": 5}]})
    tag = {"if-match": rollout.headers["etag"]}
    answers = await asyncio.gather(
        web.post("/v1/rollouts/web-v2-1:promote", headers=tag), web.post("/v1/rollouts/web-v2-1:abort", headers=tag)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    split = (await web.get("/v1/services/web")).json()["split"]
    assert sum(part["weight"] for part in split) == 100


async def test_if_none_match_creates_only(web: httpx.AsyncClient) -> None:
    head = {"if-none-match": "*"}
    assert (await web.put("/v1/gateways/edge", json={}, headers=head)).status_code == 201
    assert (await web.put("/v1/gateways/edge", json={}, headers=head)).status_code == 412


async def test_if_match_star_changes_only(web: httpx.AsyncClient) -> None:
    head = {"if-match": "*"}
    assert (await web.put("/v1/gateways/edge", json={}, headers=head)).status_code == 412
    await web.put("/v1/gateways/edge", json={})
    assert (await web.put("/v1/gateways/edge", json={"hosts": ["a.example"]}, headers=head)).status_code == 200


@pytest.mark.parametrize(
    "head",
    [
        {"if-match": "abc"},
        {"if-match": '"1", "2"'},
        {"if-none-match": '"1"'},
        {"if-match": '"1"', "if-none-match": "*"},
    ],
)
async def test_a_condition_that_makes_no_sense_is_refused(web: httpx.AsyncClient, head: dict[str, str]) -> None:
    assert (await web.put("/v1/gateways/edge", json={}, headers=head)).status_code == 422


async def test_a4_the_same_key_and_request_is_answered_again_and_done_once(
    web: httpx.AsyncClient, plane: ControlPlane
) -> None:
    head = {"idempotency-key": "deploy-17"}
    body = {"service": "web", "version": "v2", "plan": [{"weight": 5}]}
    first = await web.post("/v1/rollouts", json=body, headers=head)
    revision = plane.intent.revision
    for _ in range(4):
        again = await web.post("/v1/rollouts", json=body, headers=head)
        assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    assert plane.intent.revision == revision
    assert list(plane.intent.rollouts) == ["web-v2-1"]


async def test_a4_five_at_once_under_one_key_are_one(web: httpx.AsyncClient, plane: ControlPlane) -> None:
    head = {"idempotency-key": "deploy-18"}
    body = {"service": "web", "version": "v2"}
    answers = await asyncio.gather(*(web.post("/v1/rollouts", json=body, headers=head) for _ in range(5)))
    assert {(answer.status_code, answer.json().get("id")) for answer in answers} == {(201, "web-v2-1")}
    assert list(plane.intent.rollouts) == ["web-v2-1"]


async def test_a_key_is_not_reused_for_another_request(web: httpx.AsyncClient, plane: ControlPlane) -> None:
    head = {"idempotency-key": "k"}
    await web.put("/v1/gateways/a", json={}, headers=head)
    revision = plane.intent.revision
    answer = await web.put("/v1/gateways/b", json={}, headers=head)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert plane.intent.revision == revision


@pytest.mark.parametrize("key", ["x" * 201, "with space", "\x7f"])
async def test_a_key_is_short_and_plain(web: httpx.AsyncClient, key: str) -> None:
    answer = await web.put("/v1/gateways/a", json={}, headers={"idempotency-key": key})
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key")


async def test_a_batch_under_one_key_is_answered_again(web: httpx.AsyncClient, plane: ControlPlane) -> None:
    head = {"idempotency-key": "fleet"}
    items = [{"service": "web", "address": f"10.0.1.{at}", "port": 80} for at in range(3)]
    first = await web.post("/v1/instances:batch", json={"items": items}, headers=head)
    revision = plane.intent.revision
    again = await web.post("/v1/instances:batch", json={"items": items}, headers=head)
    assert again.json() == first.json()
    assert plane.intent.revision == revision
