"""Rollouts that are judged, through the API (row C6): what Envoys report moves them, and is told with its numbers.

Reports are put into telemetry as its services put them there; that Envoys send such is shown in tests/envoy.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.feature.api.running import Egress, client_of, telemetry_of
from tests.feature.control.plane_on_disk import running_plane
from tests.harness.waiting import until
from xds.api.settings import ApiSettings
from xds.control.plane import ControlPlane
from xds.model.traffic import Attempts
from xds.telemetry.reporter import Reporter
from xds.telemetry.station import Telemetry

CRITERIA = {"min_requests": 50, "success_rate": 99, "error_delta": 0.5, "wait": "1m"}
PLAN = [{"weight": 5}, {"weight": 50, "pause": "1h"}]
EDGE = Reporter("sidecar-1", "default", frozenset())
Json = dict[str, Any]


@pytest.fixture
async def judged(web: httpx.AsyncClient, plane: ControlPlane, telemetry: Telemetry) -> Egress:
    """A rollout of v2 that is judged, and the Envoy that acknowledges and reports."""
    plane.analyst.traffic = telemetry.traffic
    envoy = Egress(plane, "sidecar-1", 1)
    await envoy.connect()
    envoy.ack()
    document = {"service": "web", "version": "v2", "plan": PLAN, "analysis": CRITERIA}
    answer = await web.post("/v1/rollouts", json=document)
    assert answer.status_code == 201, answer.text
    return envoy


async def reaches(web: httpx.AsyncClient, envoy: Egress, wanted: Callable[[Json], bool]) -> Json:
    """Acknowledge until the rollout is as wanted."""

    async def there() -> Json | None:
        envoy.ack()
        found: Json = (await web.get("/v1/rollouts/web-v2-1")).json()
        return found if wanted(found) else None

    found = await until(there, what="the rollout is there")
    assert found is not None
    return found


async def told(web: httpx.AsyncClient) -> Json:
    found: Json = (await web.get("/v1/rollouts/web-v2-1/analysis")).json()
    return found


def report(telemetry: Telemetry, requests: int, errors: int = 0, version: str = "v2") -> None:
    telemetry.traffic.attempted(EDGE, f"web/{version}", Attempts(requests, errors), ())


async def test_enough_good_requests_move_a_step_and_the_words_are_kept(
    web: httpx.AsyncClient, telemetry: Telemetry, judged: Egress
) -> None:
    held = await reaches(web, judged, lambda found: found["phase"] == "holding")
    assert held["analysis"] == {
        "min_requests": 50, "success_rate": 99, "p99": None, "error_delta": 0.5, "no_data": "pause", "wait": "1m",
        "rollback": True,
    }  # fmt: skip
    await until(lambda: telemetry.traffic.tallies.is_open("default"))
    present = (await told(web))["present"]
    assert (present["verdict"], present["findings"][0]["requests"]) == ("no data", 0)
    report(telemetry, 60)
    await reaches(web, judged, lambda found: found["weight"] == 50)
    (past,) = (await told(web))["past"]
    assert (past["step"], past["weight"], past["judgement"]["verdict"]) == (0, 5, "pass")
    assert [(each["criterion"], each["value"], each["bound"]) for each in past["judgement"]["findings"]] == [
        ("requests", 60, 50), ("success-rate", 100, 99), ("error-delta", 0, 0.5),
    ]  # fmt: skip
    rows = (await web.get("/v1/journal", params={"object": "web-v2-1"})).json()["items"]
    assert any("judged good: 60 requests, at least 50 are wanted" in row["reason"] for row in rows)


async def test_a_bad_version_is_given_back_in_words_with_numbers_and_keeps_its_evidence(
    web: httpx.AsyncClient, telemetry: Telemetry, judged: Egress
) -> None:
    await reaches(web, judged, lambda found: found["phase"] == "holding" and found["judgement"] is not None)
    report(telemetry, 1204, 106)
    ended = await reaches(web, judged, lambda found: found["phase"] == "aborted")
    words = "success rate 91.19 % of 1,204 requests, at least 99 % is wanted"
    assert ended["reason"].startswith(f"taken back: {words}")
    assert ended["judgement"]["verdict"] == "fail"
    found = await told(web)
    assert (found["present"], found["past"][0]["judgement"]["reason"]) == (None, ended["judgement"]["reason"])
    assert (await web.get("/v1/services/web")).json()["split"] == [{"subset": "v1", "weight": 100}]


async def test_a_version_whose_requests_fail_is_given_back_long_before_its_step_ends(
    web: httpx.AsyncClient, telemetry: Telemetry, judged: Egress
) -> None:
    await reaches(web, judged, lambda found: found["phase"] == "holding" and found["judgement"] is not None)
    report(telemetry, 60)
    await reaches(web, judged, lambda found: found["weight"] == 50 and found["phase"] == "holding")
    await until(lambda: _is_counted(web))
    report(telemetry, 30, 15)
    ended = await reaches(web, judged, lambda found: found["phase"] == "aborted")
    assert ended["reason"] == "taken back: 15 of 30 requests failed since the step began"
    assert [each["judgement"]["verdict"] for each in (await told(web))["past"]] == ["pass", "hard fail"]


async def test_after_a_restart_a_step_is_measured_anew_with_the_same_criteria(tmp_path: Path) -> None:
    async with running_plane(tmp_path) as plane, client_of(plane, ApiSettings()) as web:
        envoy = await _begun(web, plane)
        report(envoy[1], 30)
        await until(lambda: _counts(web, 30))
    async with running_plane(tmp_path) as plane, client_of(plane, ApiSettings(), told := telemetry_of(plane)) as web:
        plane.analyst.traffic = told.traffic
        again = Egress(plane, "sidecar-1", 1)
        await again.connect()
        found = await reaches(web, again, lambda each: each["judgement"] is not None)
        assert (found["phase"], found["weight"], found["analysis"]["min_requests"]) == ("holding", 5, 50)
        assert found["judgement"]["findings"][0]["requests"] == 0
        report(told, 30)
        await until(lambda: _counts(web, 30))
        report(told, 30)
        await reaches(web, again, lambda each: each["weight"] == 50)


NONSENSE: list[tuple[Json, str]] = [
    ({"success_rate": 101}, "/analysis/success_rate"),
    ({"success_rate": 99.999}, "/analysis/success_rate"),
    ({"p99": "soon"}, "/analysis/p99"),
    ({"p99": 0}, "/analysis/p99"),
    ({"min_requests": 0}, "/analysis/min_requests"),
    ({"no_data": "shrug"}, "/analysis/no_data"),
    ({"wait": "8d"}, "/analysis/wait"),
    ({"error_rate": 1}, "/analysis/error_rate"),
]


async def test_criteria_that_make_no_sense_are_refused_at_their_place(web: httpx.AsyncClient) -> None:
    for criteria, pointer in NONSENSE:
        answer = await web.post("/v1/rollouts", json={"service": "web", "version": "v2", "analysis": criteria})
        problem = answer.json()
        assert (answer.status_code, problem.get("pointer") or problem["errors"][0]["pointer"]) == (422, pointer)


async def test_criteria_of_labels_are_what_a_rollout_is_started_with(web: httpx.AsyncClient) -> None:
    labels = {
        "service": "web", "version": "v3", "port": 8080,
        "canary": {"steps": "5,100", "min-requests": 200, "success-rate": ">=99", "p99": "<=500ms",
                   "vs-stable": {"error-delta": "<=0.5pp"}, "no-data": "fail", "auto-rollback": False},
    }  # fmt: skip
    described = await web.post("/v1/labels:describe", json={"items": [{"address": "10.0.0.9", "labels": labels}]})
    assert described.json()["problems"] == []
    (waiting,) = described.json()["waiting"]
    assert waiting["plan"][1] == {"weight": 5, "pause": "0s"}, "enough requests are the only pause"
    await web.post("/v1/apply", json={"documents": described.json()["documents"]})
    wanted = {field: waiting[field] for field in ("service", "env", "version", "plan", "auto_promote", "analysis")}
    started = await web.post("/v1/rollouts", json=wanted)
    assert started.status_code == 201, started.text
    assert started.json()["analysis"] == waiting["analysis"] == {
        "min_requests": 200, "success_rate": 99, "p99": "500ms", "error_delta": 0.5, "no_data": "fail", "wait": "5m",
        "rollback": False,
    }  # fmt: skip


async def _begun(web: httpx.AsyncClient, plane: ControlPlane) -> tuple[Egress, Telemetry]:
    """A rollout of v2 whose first step is acknowledged and measured."""
    for number, version in ((7, "v1"), (8, "v2")):
        document = {"service": "web", "address": f"10.0.0.{number}", "port": 8080, "version": version}
        await web.post("/v1/instances", json=document)
    telemetry = telemetry_of(plane)
    plane.analyst.traffic = telemetry.traffic
    envoy = Egress(plane, "sidecar-1", 1)
    await envoy.connect()
    await web.post("/v1/rollouts", json={"service": "web", "version": "v2", "plan": PLAN, "analysis": CRITERIA})
    await reaches(web, envoy, lambda found: found["phase"] == "holding" and found["judgement"] is not None)
    return envoy, telemetry


async def _is_counted(web: httpx.AsyncClient) -> bool:
    return await _counts(web, 0)


async def _counts(web: httpx.AsyncClient, requests: int) -> bool:
    present = (await told(web))["present"]
    return present is not None and bool(present["findings"][0]["requests"] == requests)
