"""Containers over HTTP: what agents see, found by name, id or its beginning, and explained (rows M09, M20)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from xds.cache.typestate import Node
from xds.control.plane import ControlPlane
from xds.wire.types import ResourceType

HOST = {"ip": "10.0.0.7", "role": "docker"}
ID = "3f2a9c1b7d40" + "0" * 52
WEB = {
    "id": ID, "name": "web-1", "standing": "registered", "service": "web", "env": "default", "version": "v1",
    "instance": "web-3f2a9c1b7d40", "address": "10.0.0.7:8080", "way": "network bridge",
    "rejected": ["published: port 8080 is not"], "check": {"kind": "tcp"}, "labels": {"fairlead.service": "web"},
}  # fmt: skip
INSTANCE = {"service": "web", "address": "10.0.0.7", "port": 8080, "version": "v1", "ttl": "15s"}
PATH = "/v1/agents/host-7/containers"


@pytest.fixture
async def host(api: httpx.AsyncClient) -> httpx.AsyncClient:
    """The same client, after an agent told of one container, and registered its instance."""
    assert (await api.put("/v1/agents/host-7", json=HOST)).status_code == 200
    assert (await api.put(f"/v1/instances/{WEB['instance']}", json=INSTANCE)).status_code == 201
    answer = await api.put(PATH, json={"items": [WEB]})
    assert answer.status_code == 204, answer.text
    return api


async def explained(api: httpx.AsyncClient, called: str) -> dict[str, Any]:
    answer = await api.get(f"/v1/containers/{called}:explain")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("called", ["web-1", ID, ID[:12], ID[:4], "web-3f2a9c1b7d40"])
async def test_a_container_is_found_by_name_id_beginning_and_instance(host: httpx.AsyncClient, called: str) -> None:
    found = (await host.get(f"/v1/containers/{called}")).json()
    assert (found["id"], found["agent"], found["agent_state"]) == (ID, "host-7", "alive")
    assert found["rejected"] == ["published: port 8080 is not"]
    assert found["check"]["kind"] == "tcp"


@pytest.mark.parametrize("name", ["shop-cart-v1-1", "shop_cart-v1_12"])
async def test_a_container_is_found_by_its_name_in_a_compose_file(host: httpx.AsyncClient, name: str) -> None:
    others = [{**WEB, "id": "8" * 64, "name": "shop-cart-v1-sidecar-1"}, {**WEB, "id": "7" * 64, "name": "shop-cart-1"}]
    await host.put(PATH, json={"items": [{**WEB, "id": "9" * 64, "name": name}, *others]})
    assert (await host.get("/v1/containers/cart-v1")).json()["name"] == name
    assert (await host.get("/v1/containers/cart")).json()["name"] == "shop-cart-1"


async def test_a_name_on_two_hosts_asks_which_one_is_meant(host: httpx.AsyncClient) -> None:
    await host.put("/v1/agents/host-8", json={"ip": "10.0.0.8"})
    await host.put("/v1/agents/host-8/containers", json={"items": [{**WEB, "id": "9" * 64}]})
    refused = await host.get("/v1/containers/web-1:explain")
    assert (refused.status_code, refused.json()["code"]) == (409, "ambiguous")
    assert "web-1 (3f2a9c1b7d40) on host-7" in refused.json()["detail"]
    assert "web-1 (999999999999) on host-8" in refused.json()["detail"]
    chosen = await host.get("/v1/containers/web-1", params={"agent": "host-8"})
    assert chosen.json()["id"] == "9" * 64


async def test_who_asks_for_a_container_that_nobody_sees_is_told_what_there_is(host: httpx.AsyncClient) -> None:
    await host.put("/v1/agents/host-8", json={"ip": "10.0.0.8"})
    missing = (await host.get("/v1/containers/web-2:explain")).json()
    assert missing["status"] == 404
    assert "did you mean web-1?" in missing["detail"]
    assert "agents: host-7, host-8" in missing["detail"]
    assert "without a word of its containers: host-8" in missing["detail"]


async def test_without_any_agent_the_answer_says_so(api: httpx.AsyncClient) -> None:
    assert "run `fairlead agent`" in (await api.get("/v1/containers/web-1")).json()["detail"]


async def test_changes_are_told_and_what_is_gone_is_forgotten(host: httpx.AsyncClient) -> None:
    hidden = {"id": "b" * 64, "name": "db", "standing": "unlabelled", "why": "it did not opt in"}
    assert (await host.patch(PATH, json={"items": [hidden], "gone": [ID]})).status_code == 204
    (only,) = (await host.get("/v1/containers")).json()["items"]
    assert (only["name"], only["why"]) == ("db", "it did not opt in")
    assert (await host.get("/v1/containers", params={"standing": "registered"})).json()["items"] == []


async def test_changes_before_all_is_told_are_answered_with_register_again(api: httpx.AsyncClient) -> None:
    assert (await api.put(PATH, json={"items": []})).json()["code"] == "register_again"
    await api.put("/v1/agents/host-7", json=HOST)
    assert (await api.patch(PATH, json={"items": [WEB]})).json()["code"] == "register_again"


async def test_an_agent_that_is_removed_takes_what_it_saw_along(host: httpx.AsyncClient) -> None:
    await host.delete("/v1/agents/host-7")
    assert (await host.get("/v1/containers")).json()["items"] == []


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"standing": "fine"}, "/items/0/standing"),
        ({"name": "a\nb"}, "/items/0/name"),
        ({"check": {"kind": "http", "path": "healthz"}}, "/items/0/check/path"),
    ],
)
async def test_what_no_container_can_be_is_refused_with_its_field(
    host: httpx.AsyncClient, wrong: dict[str, object], pointer: str
) -> None:
    answer = await host.put(PATH, json={"items": [{**WEB, **wrong}]})
    assert (answer.status_code, answer.json()["pointer"]) == (422, pointer)


async def test_a_container_is_explained_from_its_labels_to_its_share(host: httpx.AsyncClient) -> None:
    found = await explained(host, "web-1")
    assert found["instance"]["verdict"]["decided_by"] == "nobody"
    assert found["lease"]["expires_in"].endswith("s")
    (subset,) = found["subsets"]
    assert (subset["name"], subset["clusters"], subset["effective"]) == ("v1", ["web/v1"], 100)
    assert found["share"] == 100
    await host.put("/v1/instances/other", json={**INSTANCE, "address": "10.0.0.8", "weight": 300})
    assert (await explained(host, "web-1"))["share"] == 25


async def test_one_that_is_not_registered_has_a_reason_and_no_way(host: httpx.AsyncClient) -> None:
    refused = {"id": "c" * 64, "name": "bad", "standing": "refused", "why": "it exposes none"}
    await host.patch(PATH, json={"items": [refused]})
    found = await explained(host, "bad")
    assert found["container"]["why"] == "it exposes none"
    assert (found["instance"], found["share"], found["endpoints"]) == (None, None, [])


async def test_each_envoy_that_asks_for_its_cluster_is_told_with_what_it_has(
    host: httpx.AsyncClient, plane: ControlPlane
) -> None:
    node, eds = Node("edge-1", metadata={"fairlead": {"role": "sidecar"}}), ResourceType.ENDPOINT
    group, now = await plane.assign(node), plane.clock.monotonic()
    plane.roster.opened(1, node, group, now)
    plane.roster.subscribed(1, eds, ["web/v1"])

    async def state() -> str:
        (found,) = (await explained(host, "web-1"))["endpoints"]
        assert (found["node"], found["cluster"]) == ("edge-1", "web/v1")
        return f"{found['state']} {found['message']}".strip()

    assert await state() == "owed"
    snapshot = plane.cache.latest()
    assert snapshot is not None
    plane.roster.sent(1, eds, {"web/v1": snapshot.view(eds, group)["web/v1"].held}, (), now)
    assert await state() == "sent"
    plane.roster.nacked(1, eds, "no", now)
    assert await state() == "refused no"
    plane.roster.sent(1, eds, {"web/v1": snapshot.view(eds, group)["web/v1"].held}, (), now)
    plane.roster.acked(1, eds, now)
    assert await state() == "acked"
