"""What labels come to, over HTTP: documents that `apply` takes as they are."""

from __future__ import annotations

from typing import Any

import httpx

LABELS = {
    "service": "checkout",
    "version": "v1",
    "port": 8080,
    "timeout": "5s",
    "health": {"http": "/healthz", "interval": "2s", "start-grace": "0s"},
    "allow-from": "shop",
    "route": {"api": {"host": ["api.example.com"], "path": "/v1"}},
}


async def described(api: httpx.AsyncClient, *items: dict[str, object], **more: object) -> dict[str, Any]:
    answer = await api.post("/v1/labels:describe", json={"items": items, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_labels_of_a_machine_become_documents_that_are_applied_as_they_are(api: httpx.AsyncClient) -> None:
    found = await described(api, {"address": "10.0.0.7", "labels": LABELS, "ttl": "30s"})
    assert found["problems"] == []
    assert [(each["kind"], each.get("name") or each.get("id")) for each in found["documents"]] == [
        ("instance", "checkout-10-0-0-7-8080"), ("service", "checkout"), ("route", "checkout.api"),
    ]  # fmt: skip
    answer = await api.post("/v1/apply", json={"documents": found["documents"]})
    assert [result["outcome"] for result in answer.json()["results"]] == ["created"] * 3
    assert (await api.get("/v1/services/checkout")).json()["timeout"] == "5s"
    assert (await api.get("/v1/instances/checkout-10-0-0-7-8080")).json()["ttl"] == "30s"
    check = (await api.get("/v1/instances/checkout-10-0-0-7-8080")).json()["check"]
    assert (check["kind"], check["path"], check["interval"]) == ("http", "/healthz", "2s")
    again = await described(api, {"address": "10.0.0.7", "labels": LABELS, "ttl": "30s"})
    answer = await api.post("/v1/apply", json={"documents": again["documents"]})
    assert {result["outcome"] for result in answer.json()["results"]} == {"unchanged"}


async def test_another_version_only_proposes_and_waits_for_a_rollout(api: httpx.AsyncClient) -> None:
    first = await described(api, {"address": "10.0.0.7", "labels": LABELS})
    await api.post("/v1/apply", json={"documents": first["documents"]})
    canary = {**LABELS, "version": "v2", "timeout": "9s", "canary.steps": "5,100", "canary.interval": "2m"}
    found = await described(api, {"address": "10.0.0.8", "labels": canary})
    assert [each["kind"] for each in found["documents"]] == ["instance"]
    assert [(each["version"], each["field"], each["wanted"]) for each in found["proposals"][:1]] == [
        ("v2", "timeout", "9.0")
    ]
    assert found["waiting"] == [
        {"service": "checkout", "env": "default", "version": "v2", "entry": "auto", "auto_promote": False,
         "preview": None, "analysis": None,
         "plan": [{"weight": 0, "pause": None}, {"weight": 5, "pause": "2m"}, {"weight": 100, "pause": "2m"}],
         "rollout": None},
    ]  # fmt: skip


async def test_a_mistake_costs_its_item_or_its_facet_and_says_where(api: httpx.AsyncClient) -> None:
    found = await described(
        api,
        {"address": "10.0.0.7", "labels": {**LABELS, "zon": "a"}},
        {"address": "10.0.0.8", "labels": {"service": "web", "port": 0}},
        {"address": "nowhere", "labels": {"service": "web", "port": 80}},
        {"address": "10.0.0.9", "labels": {"service": {"name": None}}},
    )
    assert [(each["item"], each["pointer"], each["severity"]) for each in found["problems"]] == [
        (0, "/labels/fairlead.zon", "warning"), (1, "/labels/fairlead.port", "error"), (2, "/address", "error"),
        (3, "/labels/service/name", "error"),
    ]  # fmt: skip
    assert list(found["sources"]) == [0, None, None]
