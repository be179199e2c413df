"""A canary through the API: weights are done when Envoys have acknowledged them (C6)."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest

from tests.feature.api.running import Egress
from tests.harness.waiting import until
from xds.control.plane import ControlPlane

PLAN = [{"weight": 5, "pause": "0s"}, {"weight": 50, "pause": None}]


async def _reaches(web: httpx.AsyncClient, envoy: Egress, **wanted: object) -> dict[str, object]:
    """Acknowledge until the rollout is where it should be."""

    async def there() -> dict[str, object] | None:
        envoy.ack()
        found: dict[str, object] = (await web.get("/v1/rollouts/web-v2-1")).json()
        return found if all(found[name] == value for name, value in wanted.items()) else None

    found = await until(there, what=f"rollout {wanted}")
    assert found is not None
    return found


async def test_a_plan_goes_on_with_acknowledgements_and_ends_in_a_new_stable_version(
    web: httpx.AsyncClient, plane: ControlPlane
) -> None:
    envoy = Egress(plane, "sidecar-1", 1)
    await envoy.connect()
    started = await web.post("/v1/rollouts", json={"service": "web", "version": "v2", "plan": PLAN})
    assert (started.status_code, started.headers["location"]) == (201, "/v1/rollouts/web-v2-1")
    assert started.json()["weight"] == 5
    held = await _reaches(web, envoy, phase="paused", weight=50)
    assert held["gate"] == {
        "state": "done",
        "reason": "",
        "acked": 1,
        "live": 1,
        "nodes": [
            {
                "node": "sidecar-1",
                "wanted": {"v1": 50, "v2": 50},
                "sent": {"v1": 50, "v2": 50},
                "acked": {"v1": 50, "v2": 50},
                "state": "done",
                "message": "",
            }
        ],
    }
    assert (await web.post("/v1/rollouts/web-v2-1:promote")).json()["phase"] == "promoting"
    await _reaches(web, envoy, phase="succeeded")
    service = (await web.get("/v1/services/web")).json()
    assert (service["stable"], service["split"]) == ("v2", [{"subset": "v2", "weight": 100}])
    assert (await web.get("/v1/rollouts", params={"active": True})).json()["items"] == []


async def test_without_a_live_envoy_a_step_is_blocked_not_done(web: httpx.AsyncClient) -> None:
    found = (await web.post("/v1/rollouts", json={"service": "web", "version": "v2", "plan": PLAN})).json()
    assert (found["state"], found["phase"]) == ("blocked", "shifting")
    assert "no live Envoy" in found["reason"]


async def test_a_refusal_blocks_the_step_with_the_node_and_envoys_words(
    web: httpx.AsyncClient, plane: ControlPlane
) -> None:
    envoy = Egress(plane, "sidecar-1", 1)
    await envoy.connect()
    envoy.ack()
    await web.post("/v1/rollouts", json={"service": "web", "version": "v2", "plan": PLAN})

    async def sent() -> bool:
        envoy.take()
        found = (await web.get("/v1/rollouts/web-v2-1")).json()
        return bool(found["gate"]["nodes"][0]["sent"] == {"v1": 95, "v2": 5})

    await until(sent)
    envoy.nack("route: unknown cluster 'web/v2'")
    found = (await web.get("/v1/rollouts/web-v2-1")).json()
    assert found["state"] == "blocked"
    assert "sidecar-1" in found["reason"]
    assert "unknown cluster 'web/v2'" in found["reason"]
    node = (await web.get("/v1/nodes/sidecar-1")).json()
    assert node["types"]["rds"]["nack"]["message"] == "route: unknown cluster 'web/v2'"


async def test_an_operator_sets_weights_pauses_and_aborts_twice(web: httpx.AsyncClient, plane: ControlPlane) -> None:
    envoy = Egress(plane, "sidecar-1", 1)
    await envoy.connect()
    await web.post("/v1/rollouts", json={"service": "web", "version": "v2"})
    assert (await web.post("/v1/rollouts/web-v2-1:set-weight", json={"weight": 12.34})).json()["weight"] == 12.34
    assert (await web.post("/v1/rollouts/web-v2-1:pause")).json()["phase"] == "paused"
    for _ in range(2):
        assert (await web.post("/v1/rollouts/web-v2-1:abort")).status_code == 200
    await _reaches(web, envoy, phase="aborted", weight=0)
    assert (await web.post("/v1/rollouts/web-v2-1:abort")).status_code == 200
    assert (await web.get("/v1/services/web")).json()["split"] == [{"subset": "v1", "weight": 100}]


async def test_a_watcher_is_answered_when_something_changes(web: httpx.AsyncClient) -> None:
    change = (await web.post("/v1/rollouts", json={"service": "web", "version": "v2"})).json()["change"]
    watching = asyncio.ensure_future(web.get("/v1/rollouts/web-v2-1", params={"wait": change, "timeout": 10}))  # noqa: TID251 - awaited three lines below
    started = time.monotonic()
    await web.post("/v1/rollouts/web-v2-1:set-weight", json={"weight": 3})
    answer = (await watching).json()
    assert time.monotonic() - started < 5
    assert (answer["weight"], answer["change"] > change) == (3, True)


async def test_a_watcher_of_nothing_is_answered_after_its_patience(web: httpx.AsyncClient) -> None:
    change = (await web.post("/v1/rollouts", json={"service": "web", "version": "v2"})).json()["change"]
    answer = await web.get("/v1/rollouts/web-v2-1", params={"wait": change + 0, "timeout": 0.2})
    assert answer.status_code == 200
    ahead = await web.get("/v1/rollouts/web-v2-1", params={"wait": change + 10**6, "timeout": 60})
    assert ahead.status_code == 200, "a counter from before a restart is answered at once"
    assert (await web.get("/v1/rollouts/nothing", params={"wait": 0})).status_code == 404


async def test_a_service_is_explained_from_instance_to_acknowledgement(
    web: httpx.AsyncClient, plane: ControlPlane
) -> None:
    envoy = Egress(plane, "sidecar-1", 1)
    await envoy.connect()
    envoy.ack()
    await web.put("/v1/routes/web.api", json={"service": "web", "path": "/api"})
    await web.post("/v1/rollouts", json={"service": "web", "version": "v2", "plan": PLAN})

    async def explained() -> dict[str, object] | None:
        found: dict[str, object] = (await web.get("/v1/services/web:explain")).json()
        return found if found["effective"] == {"v1": 95, "v2": 5} else None

    found = await until(explained)
    assert found is not None
    assert (found["stable"], found["wanted"], found["rollout"]) == ("v1", {"v1": 95, "v2": 5}, "web-v2-1")
    assert [subset["clusters"] for subset in found["subsets"]] == [["web/-"], ["web/v1"], ["web/v2"]]  # type: ignore[attr-defined]  # a JSON list
    assert found["nodes"][0]["acked"] == {"v1": 100}  # type: ignore[index]  # a JSON list
    assert found["nodes"][0]["wanted"] == {"v1": 95, "v2": 5}  # type: ignore[index]  # a JSON list
    assert [route["name"] for route in found["routes"]] == ["web.api"]  # type: ignore[attr-defined]  # a JSON list


async def test_nodes_are_listed_with_what_each_was_sent_and_said(web: httpx.AsyncClient, plane: ControlPlane) -> None:
    envoy = Egress(plane, "sidecar-1", 1)
    await envoy.connect()
    envoy.take()
    (node,) = (await web.get("/v1/nodes")).json()["items"]
    assert (node["id"], node["role"], node["state"], node["connected"]) == ("sidecar-1", "sidecar", "live", True)
    listed = node["types"]["rds"]
    assert (listed["names"], listed["sent"], listed["acked"], listed["owed"]) == (1, 1, 0, 0)
    node = (await web.get("/v1/nodes/sidecar-1")).json()
    assert node["types"]["rds"]["names"] == ["egress"]
    assert node["types"]["rds"]["sent"].keys() == {"egress"}
    assert node["types"]["rds"]["acked"] == {}
    assert node["types"]["rds"]["pending_for"] is not None
    envoy.ack()
    node = (await web.get("/v1/nodes/sidecar-1")).json()
    assert node["types"]["rds"]["acked"] == node["types"]["rds"]["sent"]
    envoy.close()
    node = (await web.get("/v1/nodes/sidecar-1")).json()
    assert (node["state"], node["connected"]) == ("live", False)
    assert (await web.get("/v1/nodes", params={"connected": True})).json()["items"] == []
    assert (await web.get("/v1/nodes/other")).status_code == 404


async def test_the_record_of_a_rollout_is_forgotten_once_it_is_over(
    web: httpx.AsyncClient, plane: ControlPlane
) -> None:
    envoy = Egress(plane, "sidecar-1", 1)
    await envoy.connect()
    await web.post("/v1/rollouts", json={"service": "web", "version": "v2"})
    assert (await web.delete("/v1/rollouts/web-v2-1")).status_code == 409
    await web.post("/v1/rollouts/web-v2-1:abort")
    await _reaches(web, envoy, phase="aborted")
    assert (await web.delete("/v1/rollouts/web-v2-1")).status_code == 204
    assert (await web.get("/v1/rollouts")).json()["items"] == []


async def test_a_preview_is_told_as_it_was_asked_for(web: httpx.AsyncClient) -> None:
    preview = {"headers": {"x-canary": "insider", "x-tester": {"present": True}}, "cookies": {"beta": {"regex": "a|b"}}}
    document = {"service": "web", "version": "v2", "plan": [{"weight": 0, "pause": None}], "preview": preview}
    started = await web.post("/v1/rollouts", json=document)
    assert started.json()["preview"] == {
        "headers": {"x-canary": {"exact": "insider"}, "x-tester": {"present": True}},
        "cookies": {"beta": {"regex": "a|b"}},
        "mirror": 0,
    }


@pytest.mark.parametrize(
    ("preview", "pointer"),
    [
        ({}, "/preview"),
        ({"mirror": 100.5}, "/preview/mirror"),
        ({"headers": {"x y": "1"}}, "/preview/headers/x y"),
        ({"cookies": {"beta": {"regex": "("}}}, "/preview/cookies/beta/regex"),
        ({"queries": {"a": "1"}}, "/preview/queries"),
    ],
)
async def test_a_preview_that_cannot_be_is_refused_at_its_place(
    web: httpx.AsyncClient, preview: dict[str, object], pointer: str
) -> None:
    refused = await web.post("/v1/rollouts", json={"service": "web", "version": "v2", "preview": preview})
    assert refused.status_code == 422
    assert refused.json()["pointer"] == pointer
