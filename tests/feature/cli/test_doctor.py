"""doctor against a real control plane: its token, its other port, its clock, and the command's exit codes (row M23)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.harness.plane import Plane
from tests.harness.processes import Programs
from xds.cli.doctor import server
from xds.cli.doctor.finding import Finding
from xds.cli.doctor.server import Server
from xds.cli.main import app
from xds.control.clock import SystemClock

TOKEN = "an-api-token"
WALL = SystemClock().wall


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """A control plane that asks for a token."""
    folder = tmp_path_factory.mktemp("doctor")
    (folder / "token").write_text(TOKEN)
    programs = Programs(folder)
    try:
        plane = Plane(programs, folder / "data", "--filter", "none", "--token-file", str(folder / "token"), token=TOKEN)
        plane.start()
        yield plane
        plane.close()
    finally:
        programs.stop_all()


def told(port: int, token: str = TOKEN, wall: Callable[[], datetime] = WALL) -> dict[str, Finding]:
    at = Server.parse(f"http://127.0.0.1:{port}")
    assert isinstance(at, Server)
    return {finding.about: finding for finding in server.identity(at, token, wall)}


def test_a_control_plane_is_known_and_so_is_whether_it_takes_the_token(guarded: Plane) -> None:
    assert {finding.level for finding in told(guarded.api).values()} == {"ok"}
    assert "asks for a token, and there is none" in told(guarded.api, "")["token"].says
    assert "does not take this token" in told(guarded.api, "another")["token"].says


def test_the_port_for_envoys_is_told_from_the_api(guarded: Plane) -> None:
    found = told(guarded.ads)["control plane"]
    assert "where Envoys connect (ADS)" in found.says
    assert "15080" in found.fix


@pytest.mark.parametrize(("minutes", "words"), [(5, "behind this one"), (-5, "ahead of this one")])
def test_clocks_that_disagree_are_told_with_the_direction(guarded: Plane, minutes: int, words: str) -> None:
    found = told(guarded.api, wall=lambda: WALL() + timedelta(minutes=minutes))["clock"]
    assert (found.level, words in found.says) == ("warning", True)


def test_the_command_says_what_is_broken_and_ends_with_1(guarded: Plane, tmp_path: Path) -> None:
    words = ["--server", f"http://127.0.0.1:{guarded.api}", "doctor", "--admin", "127.0.0.1:1"]
    env = {"DOCKER_HOST": f"unix://{tmp_path}/docker.sock", "FAIRLEAD_TOKEN": TOKEN}
    result = CliRunner().invoke(app, [*words, "--format", "json"], env=env)
    said = json.loads(result.stdout)
    assert (result.exit_code, said["well"]) == (1, False)
    broken = {finding["about"]: finding["fix"] for finding in said["findings"] if finding["level"] == "error"}
    assert broken.keys() == {"engine", "envoy"}
    assert all(broken.values()), "each is told with what to do"
    people = CliRunner().invoke(app, words, env=env).stdout
    assert "✗ engine" in people
    assert "2 broken" in people
