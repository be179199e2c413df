"""Rollouts judged by what real Envoys report (row C6): the bad is taken back within seconds, the good goes on."""

from __future__ import annotations

import time

import pytest

from tests.harness.load import Load, request, users
from tests.harness.mesh import USER, Town
from tests.harness.plane import Json

pytestmark = pytest.mark.envoy

UNDONE = 10.0
"""Seconds from the first bad answer to the last one, and to the acknowledged 0 % (row C6)."""


def start(town: Town, service: str, plan: list[Json], **analysis: object) -> str:
    document = {"service": service, "version": "v2", "plan": plan, "auto_promote": True, "analysis": analysis}
    return str(town.mesh.plane.post("rollouts", document)["id"])


def declared(town: Town, service: str, apps: dict[str, int]) -> list[bytes]:
    """A service of two versions that the gateway answers for, and the requests of its users."""
    town.mesh.two_versions(service, apps)
    town.mesh.plane.acked(service, nodes=2)
    town.mesh.reachable(town.gateway.port, f"{service}.test")
    return users(200, lambda name: request(f"{service}.test", (USER, name)))[1]


def test_a_version_that_answers_500_is_taken_back_by_itself_within_ten_seconds(town: Town) -> None:
    mesh = town.mesh
    bad, _ = mesh.apps("bad+v2")
    requests = declared(town, "rotten", {**town.apps, **bad})
    with Load(town.gateway.port, requests) as load:
        load.wait_rounds()
        rollout = start(town, "rotten", [{"weight": 30, "pause": "1h"}], success_rate=99)
        found = mesh.plane.phase(rollout, "aborted")
        ended = time.monotonic()
        load.wait_rounds()
    failed = [seen.left for seen in load.failures]
    assert failed, "users met the bad version"
    assert max(failed) - min(failed) < UNDONE
    assert ended - min(failed) < UNDONE
    assert (found["weight"], found["gate"]["acked"], found["gate"]["live"]) == (0, 2, 2)
    assert "requests failed since the step began" in found["reason"]
    assert found["judgement"]["verdict"] == "hard fail"
    assert mesh.plane.get("services/rotten")["stable"] == "v1"


def test_a_good_version_goes_on_by_enough_requests_and_by_its_times(town: Town) -> None:
    """No step has a pause: without requests it would stand at 30 %."""
    mesh = town.mesh
    requests = declared(town, "worthy", town.apps) + declared(town, "timely", town.apps)
    with Load(town.gateway.port, requests) as load:
        timely = start(town, "timely", [{"weight": 50}], p99="5s", min_requests=50)
        worthy = start(town, "worthy", [{"weight": 30}, {"weight": 100}], success_rate=99, error_delta=1)
        found = mesh.plane.phase(worthy, "succeeded", timeout=60)
        past = mesh.plane.get(f"rollouts/{worthy}/analysis")["past"]
        timed = mesh.plane.phase(timely, "succeeded", timeout=60)
    assert load.failures == []
    assert [(each["weight"], each["judgement"]["verdict"]) for each in past] == [(30, "pass"), (100, "pass")]
    assert all(each["judgement"]["findings"][0]["requests"] >= 100 for each in past)
    assert found["judgement"]["findings"][1]["words"].startswith("success rate 100 % of ")
    (_, p99) = timed["judgement"]["findings"]
    assert (p99["criterion"], p99["verdict"]) == ("p99", "pass")
    assert 0 < p99["value"] < p99["bound"] == 5000
    assert mesh.plane.get("services/worthy")["stable"] == "v2"


def test_without_traffic_a_step_pauses_for_want_of_data_and_says_so(town: Town) -> None:
    mesh = town.mesh
    declared(town, "quiet", town.apps)
    rollout = start(town, "quiet", [{"weight": 50}, {"weight": 100}], min_requests=10, wait="3s")
    found = mesh.plane.phase(rollout, "paused")
    assert found["weight"] == 50
    assert found["reason"].startswith("no data: ")
    assert found["reason"].endswith("resume, promote or abort")
    assert (found["state"], found["judgement"]["findings"][0]["requests"]) == ("blocked", 0)
    mesh.plane.post(f"rollouts/{rollout}:abort")
