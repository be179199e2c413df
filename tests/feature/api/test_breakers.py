"""Breakers through the API: the service's policy, and what operators force."""

from __future__ import annotations

from typing import Any  # documents of the API are JSON

import httpx
import pytest

from tests.harness.waiting import until
from xds.control.plane import ControlPlane
from xds.model.names import ServiceKey
from xds.telemetry.reporter import Reporter
from xds.telemetry.station import Telemetry
from xds.wire.filter_schema import BreakerRule

EDGE = Reporter("edge-1", "default", frozenset())
FORCE = "/v1/services/web/breakers/v2"


async def service(web: httpx.AsyncClient, **fields: object) -> Any:
    answer = await web.put("/v1/services/web", json=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (True, {}),
        (False, False),
        (None, None),
        ({}, {}),
        ({"errors": 30, "service": True}, {"errors": 30, "service": True}),
        ({"enabled": False, "errors": 30}, False),
        ({"enabled": True}, {}),
    ],
)
async def test_a_breaker_is_shown_as_it_was_said(web: httpx.AsyncClient, said: object, shown: object) -> None:
    assert (await service(web, breaker=said))["breaker"] == shown
    assert (await web.get("/v1/services/web")).json()["breaker"] == shown


@pytest.mark.parametrize(
    ("fields", "pointer", "words"),
    [
        ({"breaker": {"errors": 101}}, "/breaker/errors", "101 is more than 100"),
        ({"breaker": {"errors": 50.5}}, "/breaker/errors", "50.5 is not a whole number"),
        ({"breaker": {"errors": True}}, "/breaker/errors", "true is not a whole number"),
        ({"breaker": {"eror": 1}}, "/breaker/eror", "did you mean 'errors'?"),
        ({"breaker": {"service": 1}}, "/breaker/service", "1 is neither true nor false"),
        ({"breaker": "on"}, "/breaker", "a breaker is true, false or an object with its rule"),
        ({"limits": {"connections": 0}}, "/limits/connections", "0 is less than 1"),
        ({"limits": {"conections": 5}}, "/limits/conections", "did you mean 'connections'?"),
        ({"allow_from": ["Web"]}, "/allow_from", "'W' at position 1 is not allowed"),
    ],
)
async def test_what_cannot_be_is_refused_at_its_field(
    web: httpx.AsyncClient, fields: dict[str, object], pointer: str, words: str
) -> None:
    answer = await web.put("/v1/services/web", json=fields)
    problem = answer.json()
    assert answer.status_code == 422
    assert (problem["errors"][0]["pointer"] if "errors" in problem else problem["pointer"]) == pointer
    assert words in answer.text


async def test_limits_and_callers_are_shown_as_they_were_said(web: httpx.AsyncClient) -> None:
    found = await service(web, limits={"pending": 5}, allow_from=["shop", "10.0.0.9"])
    unset = dict.fromkeys(("connections", "requests", "retries", "retry_budget"))
    assert found["limits"] == unset | {"pending": 5}
    assert found["allow_from"] == ["shop", "10.0.0.9"]


async def test_an_operator_holds_a_breaker_and_gives_it_back(web: httpx.AsyncClient, plane: ControlPlane) -> None:
    answer = await web.put(FORCE, json={"force": "open", "reason": "it loses orders", "expires_in": "10m"})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["force"], answer.json()["reason"]) == ("open", "it loses orders")
    assert answer.headers["etag"] == f'"{plane.intent.revision}"'
    shown = (await web.get("/v1/services/web")).json()["forced"]["v2"]
    assert shown["by"] == "api:anonymous"
    assert plane.forced_for(ServiceKey("default", "web"), "v2") is not None
    (entry,) = [row for row in await plane.store.journal() if row["reason"] == "it loses orders"]
    assert (entry["kind"], entry["key"], entry["actor"]) == ("service", "default/web", "api:anonymous")
    assert (await web.delete(FORCE)).status_code == 204
    assert (await web.get("/v1/services/web")).json()["forced"] == {}
    assert (await web.delete(FORCE)).status_code == 404


async def test_a_policy_that_is_declared_anew_leaves_operators_their_word(web: httpx.AsyncClient) -> None:
    await web.put(FORCE, json={"force": "closed"})
    assert (await service(web, timeout="3s"))["forced"]["v2"]["force"] == "closed"


async def test_what_is_forced_for_a_time_is_given_back(web: httpx.AsyncClient) -> None:
    assert (await web.put(FORCE, json={"force": "open", "expires_in": "1s"})).status_code == 200

    async def given_back() -> bool:
        return bool((await web.get("/v1/services/web")).json()["forced"] == {})

    await until(given_back, 5, what="the breaker is given back")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"force": "shut"}, "is none of 'open', 'closed'"),
        ({}, "force is required"),
        ({"force": "open", "expires_in": "0s"}, "not between a second and 30 days"),
        ({"force": "open", "expires_in": "soon"}, "not a duration"),
    ],
)
async def test_a_word_that_makes_no_sense_is_explained(
    web: httpx.AsyncClient, body: dict[str, object], words: str
) -> None:
    answer = await web.put(FORCE, json=body)
    assert answer.status_code == 422
    assert words in answer.text


async def test_a_version_or_service_that_does_not_exist_is_named(web: httpx.AsyncClient) -> None:
    answer = await web.put("/v1/services/web/breakers/v9", json={"force": "open"})
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_version")
    answer = await web.put("/v1/services/nobody/breakers/v1", json={"force": "open"})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_service")


async def test_a_wrong_label_is_a_problem_of_its_service(web: httpx.AsyncClient) -> None:
    document = {
        "service": "web", "address": "10.0.0.7", "port": 8080, "version": "v1",
        "labels": {"fairlead.breaker.errors": "half"},
    }  # fmt: skip
    assert (await web.post("/v1/instances", json=document)).is_success

    async def told() -> bool:
        return "'half' is not a whole number" in (await web.get("/v1/problems")).text

    await until(told, 5, what="the label is reported")
    assert "'half' is not a whole number" in (await web.get("/v1/services/web:explain")).text


async def listed(web: httpx.AsyncClient, **query: str) -> Any:
    answer = await web.get("/v1/breakers", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_there_are_no_breakers_before_somebody_asks_for_one(web: httpx.AsyncClient) -> None:
    assert await listed(web) == []


async def test_a_breaker_is_listed_with_its_whole_rule_once_it_is_published(web: httpx.AsyncClient) -> None:
    await service(web, breaker={"errors": 30})

    async def there() -> Any:
        return await listed(web)

    (found,) = await until(there, 5, what="the breaker is listed")
    assert (found["service"], found["subset"], found["cluster"]) == ("web", "v1", "web/v1")
    assert found["rule"] == BreakerRule(errors=30).model_dump()
    assert (found["forced"], found["nodes"]) == (None, [])


async def test_what_envoys_tell_is_shown_by_version_and_by_envoy(web: httpx.AsyncClient, telemetry: Telemetry) -> None:
    telemetry.breakers.told(EDGE, "web/v2", "state", 1)
    telemetry.breakers.told(EDGE, "web/v2", "remapped", 52)
    telemetry.breakers.told(EDGE, "web.admin/v2", "state", 0)
    telemetry.breakers.told(EDGE, "stranger/v2", "state", 1)
    admin, own = await listed(web)
    assert (admin["cluster"], admin["service"]) == ("web.admin/v2", "web")
    counts = {"opens": 0, "probes": 0, "remapped": 52, "rejected": 0}
    assert own["nodes"] == [{"node": "edge-1", "state": "open", **counts}]
    assert await listed(web, service="web", env="*") == [admin, own]
    assert await listed(web, service="mail") == []
    assert await listed(web, env="prod") == []
    explained = (await web.get("/v1/services/web:explain")).json()
    assert explained["breakers"] == [admin, own]


async def test_a_breaker_that_is_held_is_listed_with_whoever_holds_it(web: httpx.AsyncClient) -> None:
    await web.put(FORCE, json={"force": "open", "reason": "it loses orders"})
    (found,) = await listed(web)
    assert (found["cluster"], found["rule"]) == ("web/v2", None)
    assert found["forced"] == {"force": "open", "by": "api:anonymous", "reason": "it loses orders", "expires_in": None}
