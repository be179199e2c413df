"""`fairlead demo` as a newcomer runs it: real Envoys, real users' requests, and nothing left afterwards."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.harness.processes import Program, Programs
from tests.harness.waiting import wait_until

pytestmark = [pytest.mark.envoy, pytest.mark.timeout(300)]

MARK = "DEMO_UNDER_TEST"
FAIRLEAD = Path(sysconfig.get_path("scripts")) / "fairlead"
ENDS_WITHIN = 150.0  # seconds, set-up included, on a machine that does other things too
STEPS = ["before", *("canary 5 %", "canary 25 %", "abort"), *("canary 5 %", "canary 25 %", "canary 50 %")]
STEPS += ["v2 well", "canary 100 %", "promote", "v1 stopped"]
SICK = r"^held +v2 sick +cut off by edge itself after (\d+) errors, \d+ ms; (\d+) errors in all; well again, let in by"

Demo = Callable[..., Program]


def descendants(mark: str) -> dict[int, str]:
    """Process id and command line of all that descends from the demo started under `mark`: environment is inherited."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # it ended while we looked, or is not ours
    return found


def ask(url: str) -> Any:  # a JSON document, whose shape the API's own tests know
    """What `curl -H 'x-user: ada' url` gets."""
    at = urlsplit(url)
    with closing(http.client.HTTPConnection(at.netloc, timeout=5)) as connection:
        connection.request("GET", at.path, headers={"x-user": "ada"})
        answer = connection.getresponse()
        assert answer.status == http.client.OK
        return json.load(answer)


@pytest.fixture
def mark(tmp_path: Path) -> str:
    """What tells this test's processes from everybody else's."""
    return str(tmp_path)


@pytest.fixture
def demo(programs: Programs, tmp_path: Path, mark: str) -> Iterator[Demo]:
    """Starts the demo; its temporary files go into this test's folder."""
    folder = tmp_path / "tmp"
    folder.mkdir()

    def start(*options: str) -> Program:
        env = {MARK: mark, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
        return programs.start([FAIRLEAD, "demo", *options], name="demo", env=env)

    yield start
    programs.stop_all()
    assert not descendants(mark)


def test_the_demo_holds_every_promise_and_leaves_nothing(demo: Demo, tmp_path: Path, mark: str) -> None:
    run = demo()
    code = run.wait(ENDS_WITHIN)
    said = run.output()
    assert code == 0, said
    assert re.findall(r"^held +(.*?) +wanted", said, re.MULTILINE) == STEPS
    assert said.count("ACKed by 3 of 3") == len(STEPS)
    assert said.count("0 went back, 0 failed") == len(STEPS)
    assert "BROKEN" not in said
    sick = re.search(SICK, said, re.MULTILINE)
    assert sick is not None, said
    assert 5 <= int(sick[1]) <= int(sick[2]) <= 25
    assert not descendants(mark)
    assert not list((tmp_path / "tmp").iterdir())


def test_a_version_that_fails_ends_the_demo_with_the_promise_it_broke(demo: Demo, mark: str) -> None:
    run = demo("--break", "v2", "--users", "400")
    code = run.wait(ENDS_WITHIN)
    said = run.output()
    assert code == 1, said
    assert re.search(r"canary 5 %: failed requests: expected 0, seen \d+ \(user-\w+: status 500 from v2", said)
    logs = Path(said.rpartition("Logs: ")[2].strip())
    assert {"control-plane.log", "envoy-gateway.log", "app-v2.log"} <= {log.name for log in logs.iterdir()}
    assert not descendants(mark)


def test_kept_running_it_serves_by_hand_until_ctrl_c(demo: Demo, tmp_path: Path, mark: str) -> None:
    run = demo("--keep", "--users", "400")
    wait_until(lambda: "Everything keeps running" in run.output() or not run.running, ENDS_WITHIN, what="the end")
    assert run.running, run.output()
    curls = re.findall(r"^ +curl .*?(http://\S+)", run.output(), re.MULTILINE)
    gateway, explain = curls[0], next(url for url in curls if url.endswith(":explain"))
    assert ask(gateway)["version"] == "v2"
    assert {member["version"] for member in ask(explain)["instances"]} == {"v2", "v3"}
    run.send(signal.SIGINT)
    assert run.wait(60) == 0, run.output()
    assert not descendants(mark)
    assert not list((tmp_path / "tmp").iterdir())


def test_interrupted_half_way_it_cleans_up(demo: Demo, tmp_path: Path, mark: str) -> None:
    run = demo("--users", "400")
    wait_until(lambda: "held   before" in run.output() or not run.running, ENDS_WITHIN, what="the first step")
    run.send(signal.SIGINT)
    assert run.wait(60) == 130, run.output()
    assert "Interrupted. Nothing is left running." in run.output()
    assert not descendants(mark)
    assert not list((tmp_path / "tmp").iterdir())


def test_a_killed_demo_takes_its_programs_with_it(demo: Demo, mark: str) -> None:
    run = demo("--users", "400")
    wait_until(lambda: "held   before" in run.output() or not run.running, ENDS_WITHIN, what="the first step")
    assert any("envoy" in line for line in descendants(mark).values())
    os.kill(run.pid, signal.SIGKILL)
    wait_until(lambda: not descendants(mark), 60, what="nothing is left")


def test_a_control_plane_that_dies_is_named_as_the_reason(demo: Demo, mark: str) -> None:
    run = demo("--users", "400")
    wait_until(lambda: "held   before" in run.output() or not run.running, ENDS_WITHIN, what="the first step")
    (server,) = [pid for pid, line in descendants(mark).items() if " serve " in line]
    os.kill(server, signal.SIGKILL)
    assert run.wait(60) == 1, run.output()
    assert "control-plane ended with code -9" in run.output()
    assert not descendants(mark)


def test_an_impossible_request_is_refused_at_once(demo: Demo) -> None:
    run = demo("--break", "v9")
    assert run.wait(20) == 2
    assert "neither v1 nor v2" in run.output()
