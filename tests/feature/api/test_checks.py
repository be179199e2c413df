"""Checks as callers meet them: what is refused at registration, and how an instance's health is explained."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
import pytest

from tests.feature.control.test_guard import endpoints, published
from tests.harness.waiting import until
from xds.control.plane import ControlPlane
from xds.model.health import Health

WEB = {"service": "web", "address": "10.0.0.7", "port": 8080}


@pytest.mark.parametrize(
    ("address", "check", "pointer", "code"),
    [
        ("169.254.169.254", {"kind": "http"}, "/address", "blocked_target"),
        ("::ffff:169.254.169.254", {"kind": "tcp"}, "/address", "blocked_target"),
        ("2002:a9fe:a9fe::", {"kind": "grpc"}, "/address", "blocked_target"),
        ("100.100.100.200", {"kind": "http"}, "/address", "blocked_target"),
        ("10.0.0.7", {"kind": "http", "path": "http://169.254.169.254/"}, "/check/path", "invalid_input"),
        ("10.0.0.7", {"kind": "http", "path": "/\r\nhost: other"}, "/check/path", "invalid_input"),
        ("10.0.0.7", {"kind": "http", "host": "user@other"}, "/check/host", "invalid_input"),
        ("10.0.0.7", {"kind": "http", "interval": "100ms"}, "/check/interval", "invalid_input"),
    ],
)
async def test_h3_h5_a_check_that_may_not_be_made_is_refused_at_registration(
    api: httpx.AsyncClient, address: str, check: dict[str, object], pointer: str, code: str
) -> None:
    answer = await api.put("/v1/instances/web-1", json={**WEB, "address": address, "check": check})
    assert answer.status_code == 422
    assert (answer.json()["pointer"], answer.json()["code"]) == (pointer, code)
    assert (await api.get("/v1/instances/web-1")).status_code == 404


async def test_an_instance_with_a_check_starts_and_says_why(api: httpx.AsyncClient) -> None:
    made = await api.put("/v1/instances/web-1", json={**WEB, "check": {"kind": "http", "path": "/healthz"}})
    assert made.status_code == 201
    assert made.json()["check"]["interval"] == "5s"
    found = (await api.get("/v1/instances/web-1")).json()
    assert found["health"] == "starting"
    assert found["verdict"]["decided_by"] == "check"
    assert found["verdict"]["why"] == "not ready yet: it has not been asked"
    (member,) = (await api.get("/v1/services/web:explain")).json()["instances"]
    assert member["verdict"] == found["verdict"]
    (listed,) = (await api.get("/v1/instances")).json()["items"]
    assert listed["verdict"] is None, "a list of thousands does not carry thousands of reasons"


ILL = {"health": "unhealthy", "why": "its HEALTHCHECK says unhealthy: no database"}


async def say(api: httpx.AsyncClient, *items: Mapping[str, object]) -> list[dict[str, object]]:
    results: list[dict[str, object]] = (await api.post("/v1/heartbeats:batch", json={"items": items})).json()["results"]
    return results


async def test_what_runs_an_instance_says_of_its_health_with_a_heartbeat(
    api: httpx.AsyncClient, plane: ControlPlane
) -> None:
    """M04: and whoever asks is told whose word it was. A word of an earlier life is none."""
    await api.put("/v1/instances/web-1", json={**WEB, "epoch": 3})
    (late,) = await say(api, {"id": "web-1", "epoch": 2, "runtime": ILL})
    assert "error" in late
    await say(api, {"id": "web-1", "epoch": 3, "runtime": ILL})
    await until(lambda: plane.intent.health("web-1") is Health.UNHEALTHY, timeout=5)
    verdict = (await api.get("/v1/instances/web-1")).json()["verdict"]
    assert (verdict["decided_by"], verdict["why"]) == ("runtime", ILL["why"])
    await say(api, {"id": "web-1", "epoch": 3})
    assert (await api.get("/v1/instances/web-1")).json()["health"] == "unhealthy", "silence takes no word back"
    await say(api, {"id": "web-1", "epoch": 3, "runtime": {"health": "healthy"}})
    await until(lambda: plane.intent.health("web-1") is Health.HEALTHY, timeout=5)


@pytest.mark.parametrize(
    "runtime", [{"health": "draining"}, {"health": "unhealthy", "why": "two\nlines"}, {"health": "healthy", "code": 1}]
)
async def test_a_word_on_health_that_is_none_costs_its_heartbeat(
    api: httpx.AsyncClient, runtime: dict[str, object]
) -> None:
    await api.put("/v1/instances/web-1", json=WEB)
    refused, renewed = await say(api, {"id": "web-1", "runtime": runtime}, {"id": "web-1"})
    assert ("error" in refused, "error" in renewed) == (True, False)
    gone = await api.post("/v1/instances:deregister", json={"items": [{"id": "web-1", "runtime": ILL}]})
    assert "error" in gone.json()["results"][0], "who goes has no health"


async def test_a_service_of_which_every_container_is_ill_at_once_is_not_emptied(
    api: httpx.AsyncClient, plane: ControlPlane
) -> None:
    names = [f"web-{number}" for number in range(4)]
    for number, name in enumerate(names):
        await api.put(f"/v1/instances/{name}", json={**WEB, "address": f"10.0.0.{number + 1}", "version": "v1"})
    await say(api, *({"id": name, "runtime": ILL} for name in names))
    await until(lambda: {plane.intent.health(name) for name in names} == {Health.UNHEALTHY}, timeout=5)
    await published(plane)
    assert endpoints(plane) == 4, "Envoys try all that are there"
