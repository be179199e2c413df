"""Instances, services, routes and gateways: declared, read, listed, removed (M02, M03, M10, M13)."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.feature.api.running import client_of
from tests.feature.control.plane_on_disk import running_plane
from xds.api.settings import ApiSettings

INSTANCE = {"service": "web", "address": "10.0.0.9", "port": 8080, "version": "v1"}


async def test_an_instance_comes_back_as_it_was_declared_and_with_what_is_known_of_it(api: httpx.AsyncClient) -> None:
    document = {
        "service": "web",
        "env": "prod",
        "address": "2001:db8::0:7",
        "ports": {"http": 8080, "admin": 9090},
        "version": "v1",
        "weight": 50,
        "region": "eu",
        "zone": "eu-1a",
        "labels": {"team": "shop"},
        "metadata": {"commit": "abc"},
        "ingress": "10.0.0.9:15006",
        "ttl": "10s",
        "epoch": 3,
        "seq": 7,
    }
    created = await api.put("/v1/instances/web-1", json=document)
    assert created.status_code == 201
    found = (await api.get("/v1/instances/web-1")).json()
    assert found.pop("lease")["expires_in"].endswith("s")
    assert found.pop("verdict")["health"] == "healthy"
    assert found == {name: value for name, value in created.json().items() if name not in {"lease", "verdict"}}
    assert {name: found[name] for name in document} == {**document, "address": "2001:db8::0:7"}
    assert (found["port"], found["health"], found["owner"], found["revision"]) == (8080, "healthy", "api:anonymous", 1)


@pytest.mark.parametrize(
    ("env", "address", "expected"),
    [
        ("default", "10.0.0.9", "web-10-0-0-9-8080"),
        ("default", "2001:db8::7", "web-2001-db8--7-8080"),
        ("prod", "10.0.0.9", "web.prod-10-0-0-9-8080"),
    ],
)
async def test_an_id_is_derived_from_service_address_and_port(
    api: httpx.AsyncClient, env: str, address: str, expected: str
) -> None:
    """M67; an environment is a wall, so it is part of the id."""
    answer = await api.post("/v1/instances", json={**INSTANCE, "env": env, "address": address})
    assert (answer.status_code, answer.json()["id"]) == (201, expected)


async def test_the_same_registration_again_changes_nothing(api: httpx.AsyncClient) -> None:
    first = (await api.post("/v1/instances", json=INSTANCE)).json()
    assert (await api.post("/v1/instances", json=INSTANCE)).json() == first


async def test_instances_are_selected_by_labels_fields_service_and_environment(api: httpx.AsyncClient) -> None:
    for number, (service, env, version, labels) in enumerate(
        [
            ("web", "default", "v1", {"app": "shop"}),
            ("web", "default", "v2", {"app": "shop", "canary": "yes"}),
            ("web", "dev", "v2", {"app": "shop"}),
            ("pay", "default", "v1", {}),
        ]
    ):
        document = {**INSTANCE, "service": service, "env": env, "version": version, "labels": labels}
        await api.put(f"/v1/instances/i{number}", json=document)

    async def ids(**query: str) -> list[str]:
        return [item["id"] for item in (await api.get("/v1/instances", params=query)).json()["items"]]

    assert await ids() == ["i0", "i1", "i2", "i3"]
    assert await ids(selector="app=shop,version in (v1,v2),env!=dev,!canary") == ["i0"]
    assert await ids(service="web") == ["i0", "i1", "i2"]
    assert await ids(service="web", env="default", selector="version=v2") == ["i1"]
    assert await ids(env="dev") == ["i2"]


async def test_lists_come_in_pages_that_inserts_do_not_disturb(api: httpx.AsyncClient) -> None:
    items = [{**INSTANCE, "id": f"i{at:02}"} for at in range(0, 20, 2)]
    await api.post("/v1/instances:batch", json={"items": items})
    first = (await api.get("/v1/instances", params={"limit": 4})).json()
    assert [item["id"] for item in first["items"]] == ["i00", "i02", "i04", "i06"]
    await api.put("/v1/instances/i01", json=INSTANCE)
    await api.delete("/v1/instances/i06")
    rest, cursor = [], first["next"]
    for _ in range(5):
        page = (await api.get("/v1/instances", params={"limit": 4, "after": cursor})).json()
        rest += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert rest == ["i08", "i10", "i12", "i14", "i16", "i18"]
    assert cursor is None


async def test_in_a_batch_one_bad_item_costs_one_item(api: httpx.AsyncClient) -> None:
    items: list[object] = [
        {**INSTANCE, "id": "a"},
        {**INSTANCE, "id": "b", "port": 0},
        {**INSTANCE, "id": "a", "service": "other"},
        "nonsense",
        {**INSTANCE, "id": "c"},
    ]
    answer = (await api.post("/v1/instances:batch", json={"items": items})).json()
    assert answer["failed"] == 3
    assert [result.get("id") for result in answer["results"]] == ["a", None, "a", None, "c"]
    codes = [result.get("error", {}).get("code") for result in answer["results"]]
    assert codes == [None, "invalid_input", "identity", "invalid_input", None]
    assert answer["results"][1]["error"]["pointer"] == "/port"
    found = (await api.get("/v1/instances")).json()
    assert [item["id"] for item in found["items"]] == ["a", "c"]
    assert found["revision"] == 1


async def test_a_heartbeat_renews_and_creates_nothing(api: httpx.AsyncClient) -> None:
    created = (await api.put("/v1/instances/a", json={**INSTANCE, "ttl": 30})).json()
    assert (await api.put("/v1/instances/a/heartbeat")).json() == {"expires_in": "30s"}
    body = {"epoch": created["epoch"], "seq": created["seq"] + 1}
    assert (await api.put("/v1/instances/a/heartbeat", json=body)).status_code == 200
    older = await api.put("/v1/instances/a/heartbeat", json={"epoch": created["epoch"], "seq": 0, "x": 1})
    assert older.status_code == 422
    unknown = await api.put("/v1/instances/b/heartbeat")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "register_again")
    await api.put("/v1/instances/c", json={**INSTANCE, "epoch": 5})
    stale = await api.put("/v1/instances/c/heartbeat", json={"epoch": 4})
    assert (stale.status_code, stale.json()["code"]) == (409, "stale_epoch")
    assert (await api.put("/v1/instances/c/heartbeat")).json() is None


async def test_heartbeats_come_in_batches(api: httpx.AsyncClient) -> None:
    await api.put("/v1/instances/a", json={**INSTANCE, "ttl": 30})
    items = [{"id": "a"}, {"id": "b"}, {"id": 7}]
    answer = (await api.post("/v1/heartbeats:batch", json={"items": items})).json()
    assert answer["failed"] == 2
    assert answer["results"][0] == {"id": "a", "expires_in": "30s"}
    assert [result["error"]["code"] for result in answer["results"][1:]] == ["register_again", "invalid_input"]


async def test_a_service_keeps_its_split_where_the_document_is_silent(web: httpx.AsyncClient) -> None:
    split = [{"subset": "v1", "weight": 87.5}, {"subset": "v2", "weight": 12.5}]
    answer = await web.put("/v1/services/web", json={"split": split, "split_key": {"header": "x-user"}})
    assert answer.status_code == 200
    assert answer.json()["split"] == split
    later = await web.put(
        "/v1/services/web",
        json={
            "protocol": "h2c",
            "protocols": {"admin": "http"},
            "subsets": [{"name": "new", "selector": "version in (v2, v3)"}],
            "balancing": "least-request",
            "timeout": "90s",
            "connect_timeout": 0.5,
            "retry": {"attempts": 1, "on": ["reset"], "per_try": "250ms"},
            "split_key": {"cookie": "sid"},
            "labels": {"team": "shop"},
            "upstream_port": 16001,
        },
    )
    found = (await web.get("/v1/services/web")).json()
    assert found == later.json()
    assert (found["split"], found["stable"], found["instances"]) == (split, "v1", 2)
    assert (found["timeout"], found["connect_timeout"], found["split_key"]) == ("90s", "500ms", {"cookie": "sid"})
    assert found["retry"] == {"attempts": 1, "on": ["reset"], "per_try": "250ms"}
    assert found["subsets"] == [{"name": "new", "selector": "version in (v2,v3)"}]


async def test_a_route_comes_back_as_it_was_declared(web: httpx.AsyncClient) -> None:
    document = {
        "service": "web",
        "hosts": ["shop.example.com", "*.example.org"],
        "path": {"exact": "/api"},
        "methods": ["GET"],
        "headers": {
            "x-tenant": "acme",
            "x-any": {"present": True},
            "x-none": {"present": False},
            "x-p": {"prefix": "a"},
        },
        "cookies": {"beta": {"regex": "[0-9]+"}},
        "priority": 7,
        "rewrite": "/v2",
        "timeout": "1m",
        "idle_timeout": 0.5,
        "retry": {"attempts": 0},
        "split": [{"subset": "v1", "weight": 99.99}, {"subset": "v2", "weight": 0.01}],
    }
    created = await web.put("/v1/routes/web.api", json=document)
    assert created.status_code == 201
    found = (await web.get("/v1/routes/web.api")).json()
    assert found == created.json()
    assert found["headers"]["x-tenant"] == {"exact": "acme"}
    assert found["headers"]["x-none"] == {"present": False}
    same = ("hosts", "path", "methods", "cookies", "priority", "rewrite", "split")
    assert {name: found[name] for name in same} == {name: document[name] for name in same}
    assert (found["timeout"], found["idle_timeout"], found["name"]) == ("1m", "500ms", "web.api")


async def test_a_route_may_be_named_without_its_service(web: httpx.AsyncClient) -> None:
    assert (await web.put("/v1/routes/api", json={"service": "web", "path": "/api"})).json()["name"] == "web.api"
    listed = (await web.get("/v1/routes", params={"service": "web"})).json()["items"]
    assert [route["path"] for route in listed] == [{"prefix": "/api"}]


async def test_a_gateway_has_defaults_and_comes_back(api: httpx.AsyncClient) -> None:
    assert (await api.put("/v1/gateways/edge", json={})).json()["listeners"] == [
        {"name": "http", "address": "0.0.0.0", "port": 8080}
    ]
    document = {"listeners": [{"name": "in", "address": "::", "port": 80}], "hosts": ["*.example.com"]}
    await api.put("/v1/gateways/edge", json=document)
    found = (await api.get("/v1/gateways/edge")).json()
    assert {name: found[name] for name in document} == document


async def test_environments_are_walls(api: httpx.AsyncClient) -> None:
    for env in ("default", "dev"):
        await api.put("/v1/services/web", params={"env": env}, json={"labels": {"env": env}})
    assert (await api.get("/v1/services/web", params={"env": "dev"})).json()["labels"] == {"env": "dev"}
    assert (await api.get("/v1/services/web")).json()["labels"] == {"env": "default"}
    assert len((await api.get("/v1/services")).json()["items"]) == 1
    assert len((await api.get("/v1/services", params={"env": "*"})).json()["items"]) == 2
    await api.delete("/v1/services/web", params={"env": "dev"})
    assert (await api.get("/v1/services/web", params={"env": "dev"})).status_code == 404


async def test_what_is_deleted_is_gone(web: httpx.AsyncClient) -> None:
    await web.put("/v1/routes/web.api", json={"service": "web"})
    await web.put("/v1/gateways/edge", json={})
    paths = (
        "routes/web.api",
        "gateways/edge",
        "instances/web-10-0-0-7-8080",
        "instances/web-10-0-0-8-8080",
        "services/web",
    )
    for path in paths:
        assert (await web.delete(f"/v1/{path}")).status_code == 204, path
        assert (await web.get(f"/v1/{path}")).status_code == 404


async def test_documents_of_all_kinds_are_applied_in_an_order_that_works(api: httpx.AsyncClient) -> None:
    """M72: what the caller wrote first may need what comes last."""
    documents: list[dict[str, object]] = [
        {"kind": "gateway", "name": "edge", "hosts": ["*"]},
        {"kind": "route", "service": "web", "name": "api", "subset": "v1"},
        {"kind": "instance", **INSTANCE},
        {"kind": "service", "name": "web", "split_key": {"cookie": "sid"}},
    ]
    answer = (await api.post("/v1/apply", json={"documents": documents, "set": "shop"})).json()
    assert (answer["failed"], [result["outcome"] for result in answer["results"]]) == (0, ["created"] * 4)
    assert (await api.get("/v1/routes/web.api")).json()["owner"] == "file:shop"
    again = (await api.post("/v1/apply", json={"documents": documents, "set": "shop"})).json()
    assert [result["outcome"] for result in again["results"]] == ["unchanged"] * 4
    documents[0]["hosts"] = ["a.example"]
    changed = (await api.post("/v1/apply", json={"documents": documents, "set": "shop"})).json()
    assert [result["outcome"] for result in changed["results"]] == ["changed", *["unchanged"] * 3]


async def test_a_bad_document_costs_only_itself(api: httpx.AsyncClient) -> None:
    documents: list[object] = [
        {"kind": "service", "name": "web"},
        {"kind": "service", "name": "shop", "timeuot": "1s"},
        {"kind": "route", "service": "shop", "name": "a"},
        {"kind": "pod"},
        3,
    ]
    answer = (await api.post("/v1/apply", json={"documents": documents})).json()
    assert [result["outcome"] for result in answer["results"]] == ["created", *["refused"] * 4]
    codes = [result["error"]["code"] for result in answer["results"][1:]]
    assert codes == ["invalid_input", "unknown_service", "unknown_kind", "unknown_kind"]
    assert "'timeout'" in answer["results"][1]["error"]["detail"]


async def test_a_dry_run_says_what_would_happen_and_does_nothing(api: httpx.AsyncClient) -> None:
    documents = [{"kind": "route", "service": "web", "name": "api"}, {"kind": "service", "name": "web"}]
    answer = (await api.post("/v1/apply", json={"documents": documents, "dry_run": True})).json()
    assert [result["outcome"] for result in answer["results"]] == ["created", "created"]
    assert (await api.get("/v1/services")).json() == {"items": [], "next": None, "revision": 0}


async def test_everything_declared_is_there_after_a_restart(tmp_path: Path) -> None:
    lists = ("instances", "services", "routes", "gateways", "rollouts")
    seen: list[object] = []
    for _ in range(2):
        async with running_plane(tmp_path) as plane, client_of(plane, ApiSettings()) as api:
            if not plane.intent.revision:
                for version in ("v1", "v2"):
                    await api.put(f"/v1/instances/{version}", json={**INSTANCE, "version": version})
                await api.put("/v1/routes/web.api", json={"service": "web", "path": {"regex": "/a.*"}})
                await api.put("/v1/gateways/edge", json={})
                await api.post("/v1/rollouts", json={"service": "web", "version": "v2", "plan": [{"weight": 5}]})
            found = [(await api.get(f"/v1/{each}")).json()["items"] for each in lists]
            found[-1][0].pop("change")
            seen.append(found)
    assert seen[0] == seen[1]
