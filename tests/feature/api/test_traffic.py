"""A service's traffic through the API: by subset, endpoint and node, and null where nobody told anything."""

from __future__ import annotations

from typing import Any  # documents of the API are JSON

import httpx
import pytest

from xds.model.traffic import Answers, Attempts, Latency
from xds.telemetry.reporter import Reporter
from xds.telemetry.station import Telemetry
from xds.telemetry.windows import Kind, Place

EDGE, SIDE = Reporter("edge-1", "default", frozenset()), Reporter("sidecar-1", "default", frozenset())
V1 = Place(Kind.ENDPOINT, "10.0.0.7:8080")
STRANGER = Place(Kind.ENDPOINT, "10.0.0.99:8080")


async def _subset(web: httpx.AsyncClient, name: str = "v1", **query: str | bool) -> dict[str, Any]:
    answer = await web.get("/v1/services/web:traffic", params=query)
    assert answer.status_code == 200, answer.text
    (found,) = [subset for subset in answer.json()["subsets"] if subset["name"] == name]
    return dict(found)


async def test_a_subset_of_which_nobody_spoke_has_no_data(web: httpx.AsyncClient) -> None:
    assert await _subset(web) == {
        "name": "v1",
        "clusters": ["web/v1"],
        "answers": None,
        "attempts": None,
        "endpoints": [],
        "localities": [],
        "nodes": None,
    }


async def test_a_subset_that_was_asked_nothing_has_zero_requests_and_no_rate(
    web: httpx.AsyncClient, telemetry: Telemetry
) -> None:
    telemetry.traffic.answered(EDGE, "web/v1", Answers())
    assert (await _subset(web))["answers"] == {
        "requests": 0,
        "errors": 0,
        "success": None,
        "p50_ms": None,
        "p99_ms": None,
    }


async def test_answers_and_attempts_stand_side_by_side(web: httpx.AsyncClient, telemetry: Telemetry) -> None:
    telemetry.traffic.answered(EDGE, "web/v1", Answers(400, 4, Latency({(0.0, 10.0): 300, (10.0, 20.0): 100})))
    telemetry.traffic.attempted(EDGE, "web/v1", Attempts(410, 14, 412, 2, {"other": 1}), [(V1, Attempts(410, 14))])
    found = await _subset(web)
    assert found["answers"] == {"requests": 400, "errors": 4, "success": 99.0, "p50_ms": 6.667, "p99_ms": 19.6}
    assert found["attempts"] == {
        "requests": 410,
        "errors": 14,
        "success": 96.59,
        "issued": 412,
        "in_progress": 2,
        "drops": {"other": 1},
    }
    assert found["endpoints"] == [
        {"address": "10.0.0.7:8080", "instance": "web-10-0-0-7-8080", "requests": 410, "errors": 14, "success": 96.59}
    ]
    other = await _subset(web, "v2")
    assert (other["answers"], other["attempts"]) == (None, None)


async def test_an_endpoint_whose_instance_is_gone_is_still_shown(web: httpx.AsyncClient, telemetry: Telemetry) -> None:
    telemetry.traffic.attempted(EDGE, "web/v1", Attempts(1), [(STRANGER, Attempts(1))])
    (endpoint,) = (await _subset(web))["endpoints"]
    assert (endpoint["address"], endpoint["instance"]) == ("10.0.0.99:8080", None)


async def test_nodes_are_shown_on_request(web: httpx.AsyncClient, telemetry: Telemetry) -> None:
    telemetry.traffic.answered(EDGE, "web/v1", Answers(3))
    telemetry.traffic.attempted(SIDE, "web/v1", Attempts(2), [])
    edge, side = (await _subset(web, nodes=True))["nodes"]
    assert (edge["node"], edge["answers"]["requests"], edge["attempts"]) == ("edge-1", 3, None)
    assert (side["node"], side["answers"], side["attempts"]["requests"]) == ("sidecar-1", None, 2)


async def test_named_ports_belong_to_their_service_unless_they_are_one(
    web: httpx.AsyncClient, telemetry: Telemetry
) -> None:
    ports = {"ports": {"http": 8080, "admin": 9090}, "address": "10.0.0.9", "service": "web", "version": "v1"}
    assert (await web.put("/v1/instances/web-9", json=ports)).status_code == 201
    telemetry.traffic.answered(EDGE, "web/v1", Answers(3))
    telemetry.traffic.answered(EDGE, "web.admin/v1", Answers(4))
    found = await _subset(web)
    assert found["clusters"] == ["web/v1", "web.admin/v1"]
    assert found["answers"]["requests"] == 7
    await web.put("/v1/services/web.admin", json={})
    assert (await _subset(web))["clusters"] == ["web/v1"]


async def test_environments_are_walls(web: httpx.AsyncClient, telemetry: Telemetry) -> None:
    telemetry.traffic.answered(Reporter("edge-2", "prod", frozenset()), "web/v1", Answers(3))
    assert (await _subset(web))["answers"] is None
    assert (await web.get("/v1/services/web:traffic", params={"env": "prod"})).status_code == 404


@pytest.mark.parametrize(("asked", "told"), [("20s", "20s"), ("10m", "1m"), ("", "1m")])
async def test_the_window_is_as_long_as_it_is_asked_for_and_a_minute_at_most(
    web: httpx.AsyncClient, asked: str, told: str
) -> None:
    answer = await web.get("/v1/services/web:traffic", params={"window": asked} if asked else {})
    assert answer.json()["window"] == told


async def test_a_window_that_is_no_duration_is_explained(web: httpx.AsyncClient) -> None:
    answer = await web.get("/v1/services/web:traffic", params={"window": "soon"})
    assert answer.status_code == 422
    assert "not a duration" in answer.text


async def test_a_service_that_does_not_exist_is_not_found(web: httpx.AsyncClient) -> None:
    answer = await web.get("/v1/services/nobody:traffic")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
