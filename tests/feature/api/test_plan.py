"""Sets of documents through the API: pruned, planned as objects and Envoy resources, drift shown (M12, M13, M72)."""

from __future__ import annotations

from typing import Any  # documents of the API are JSON

import httpx

from tests.harness.waiting import until
from xds.control.plane import ControlPlane

WEB: dict[str, object] = {
    "kind": "service",
    "name": "web",
    "split_key": {"header": "x-user"},
    "labels": {"tier": "web"},
}
ONE: dict[str, object] = {
    "kind": "instance", "id": "web-1", "service": "web", "version": "v1", "address": "10.0.0.1", "port": 80,
    "labels": {"team": "shop"},
}  # fmt: skip
TWO: dict[str, object] = {**ONE, "id": "web-2", "address": "10.0.0.2"}
STRICT: dict[str, object] = {"kind": "policy", "name": "strict", "selector": "tier=web", "timeout": "5s"}


async def apply(api: httpx.AsyncClient, *documents: dict[str, object], **more: object) -> Any:
    answer = await api.post("/v1/apply", json={"documents": list(documents), "set": "shop", **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def plan(api: httpx.AsyncClient, *documents: dict[str, object], **more: object) -> Any:
    answer = await api.post("/v1/plan", json={"documents": list(documents), "set": "shop", **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def names(api: httpx.AsyncClient) -> list[str]:
    return [item["id"] for item in (await api.get("/v1/instances")).json()["items"]]


async def test_what_a_set_names_no_more_is_pruned_and_nobody_else_s(api: httpx.AsyncClient) -> None:
    await apply(api, WEB, ONE, TWO, STRICT)
    other = await api.put("/v1/instances/web-9", json={"service": "web", "address": "10.0.0.9", "port": 80})
    assert other.status_code == 201
    found = await apply(api, WEB, ONE, prune=True)
    assert [(each["outcome"], each["name"]) for each in found["pruned"]] == [
        ("removed", "web-2"),
        ("removed", "default/strict"),
    ]
    assert await names(api) == ["web-1", "web-9"]
    assert (await apply(api, WEB, ONE, prune=True))["pruned"] == []


async def test_to_prune_everything_is_refused_unless_it_is_forced_and_the_journal_tells_c3(
    api: httpx.AsyncClient, plane: ControlPlane
) -> None:
    await apply(api, WEB, ONE)
    for documents in ([], [{**WEB, "name": "other"}]):
        refused = await api.post("/v1/apply", json={"documents": documents, "set": "shop", "prune": True})
        assert (refused.status_code, refused.json()["code"]) == (409, "would_empty"), refused.text
        assert "all 2 objects of file:shop would be pruned" in refused.json()["detail"]
        assert "nobody would be left to serve default/web v1" in refused.json()["detail"]
    assert await names(api) == ["web-1"]
    found = await apply(api, prune=True, force=True)
    assert [each["outcome"] for each in found["pruned"]] == ["removed", "removed"]
    rows = [row for row in await plane.store.journal() if row["after"] is None and row["kind"] == "instance"]
    assert "forced: all 2 objects" in str(rows[-1]["reason"])


async def test_one_mistake_and_nothing_is_pruned_c1(api: httpx.AsyncClient) -> None:
    await apply(api, WEB, ONE, TWO)
    found = await apply(api, WEB, ONE, {"kind": "servise"}, prune=True)
    assert (found["failed"], found["pruned"]) == (1, [])
    assert await names(api) == ["web-1", "web-2"]


async def test_only_a_set_is_pruned(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v1/apply", json={"documents": [WEB], "prune": True})
    assert (answer.status_code, answer.json()["pointer"]) == (422, "/prune")


async def test_a_plan_tells_objects_by_field_and_resources_with_weights_and_does_nothing(
    api: httpx.AsyncClient, plane: ControlPlane
) -> None:
    await apply(api, WEB, ONE)
    before = plane.intent.revision
    canary = {**TWO, "version": "v2"}
    split = {**WEB, "split": [{"subset": "v1", "weight": 90}, {"subset": "v2", "weight": 10}], "timeout": "5s"}
    found = await plan(api, split, {**ONE, "labels": {"team": "search"}}, canary)
    service, instance, second = found["objects"]
    changes = {each["field"]: (each["before"], each["after"]) for each in service["fields"]}
    assert changes["/timeout"] == (None, "5s")
    assert instance["fields"] == [{"field": "/labels/team", "before": "shop", "after": "search"}]
    assert (service["outcome"], instance["outcome"], second["outcome"]) == ("changed", "changed", "created")
    resources = {(each["type"], each["name"]): each for each in found["resources"]}
    assert resources["cds", "web/v2"]["change"] == "added"
    assert resources["eds", "web/-"]["detail"] == ["+ 10.0.0.2:80"]
    assert resources["rds", "egress"]["detail"] == ["web: v1 100 % -> v1 90 % · v2 10 %"]
    assert (found["changes"], found["failed"], plane.intent.revision) == (True, 0, before)


async def test_a_plan_of_what_is_there_already_changes_nothing(api: httpx.AsyncClient) -> None:
    await apply(api, WEB, ONE, STRICT)
    found = await plan(api, WEB, ONE, STRICT, prune=True)
    assert (found["changes"], found["resources"]) == (False, [])
    assert {each["outcome"] for each in found["objects"]} == {"unchanged"}


async def test_a_plan_tells_what_apply_would_refuse(api: httpx.AsyncClient) -> None:
    await apply(api, WEB, ONE)
    found = await plan(api, {**WEB, "timeout": -1}, prune=True)
    assert (found["failed"], found["objects"][0]["error"]["pointer"]) == (1, "/timeout")
    assert (await plan(api, prune=True))["needs_force"][0].startswith("all 2 objects of file:shop")


async def test_a_registration_that_is_not_as_declared_is_an_alarm_until_apply_repairs_it_m12(
    api: httpx.AsyncClient, plane: ControlPlane
) -> None:
    await apply(api, WEB, ONE)
    said = {"service": "web", "version": "v2", "address": "10.0.0.1", "port": 80, "labels": {"team": "search"}}
    assert (await api.put("/v1/instances/web-1", json=said)).status_code == 200
    shown = (await api.get("/v1/instances/web-1")).json()
    assert shown["drift"] == {
        "team": {"declared": "shop", "found": "search"},
        "version": {"declared": "v1", "found": "v2"},
    }

    async def alarms() -> list[str]:
        await plane.housekeeping.round()
        return [alarm.message for alarm in plane.alarms.standing if alarm.kind == "drift"]

    assert await alarms() == ["not as file:shop declares: web-1 (team is search, not shop; version is v2, not v1)"]
    await apply(api, ONE)
    assert (await api.get("/v1/instances/web-1")).json()["drift"] == {}
    assert await alarms() == []


async def test_a_policy_attaches_to_whom_it_picks_and_explain_tells_who_decides_m13(api: httpx.AsyncClient) -> None:
    await apply(api, WEB, ONE)
    answer = await api.put(
        "/v1/policies/strict", json={"selector": "tier=web", "timeout": "5s", "mirror": {"subset": "v9"}}
    )
    assert (answer.status_code, answer.json()["services"]) == (201, ["web"]), answer.text

    async def holds() -> dict[str, tuple[object, str]]:
        found = (await api.get("/v1/services/web:explain")).json()
        return {each["field"]: (each["value"], each["by"]) for each in found["policy"]}

    async def attached() -> bool:
        return (await holds())["timeout"] == ("5s", "policy strict")

    await until(attached, what="the policy holds", timeout=10)
    problems = (await api.get("/v1/services/web:explain")).json()["problems"]
    assert "no version or subset 'v9' to mirror to" in problems[0]["message"]
    await apply(api, {**WEB, "timeout": "9s"})

    async def own() -> bool:
        return (await holds())["timeout"] == ("9s", "service")

    await until(own, what="the service's own word holds", timeout=10)
    assert (await api.delete("/v1/policies/strict")).status_code == 204
    assert (await api.get("/v1/policies")).json()["items"] == []
