"""What a shell completes: bash is asked as a person would, with the tabulator; zsh and fish as their scripts do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.feature.cli.conftest import Fairlead
from tests.harness.plane import Plane
from tests.harness.processes import FAIRLEAD
from xds.cli.completion import VARIABLE

ASK = """
source "$1"
COMP_LINE="${*:2}"; COMP_POINT=${#COMP_LINE}
$(complete -p fairlead | sed 's/.*-F \\([^ ]*\\).*/\\1/') fairlead
printf '%s\\n' "${COMPREPLY[@]}"
"""
"""What bash does at a tabulator: set the line, call the function registered for the command, read its reply."""


@pytest.fixture
def script(fairlead: Fairlead, tmp_path: Path) -> Path:
    file = tmp_path / "completion.bash"
    file.write_text(fairlead("completion", "bash").stdout)
    return file


def completed(script: Path, plane: Plane, *words: str) -> list[str]:
    """What bash offers for the last word."""
    env = {**os.environ, "PATH": f"{FAIRLEAD.parent}:{os.environ['PATH']}"}
    env |= {"FAIRLEAD_SERVER": f"http://127.0.0.1:{plane.api}", "FAIRLEAD_TOKEN": ""}
    command = ["bash", "--norc", "-c", ASK, "bash", str(script), "fairlead", *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True).stdout.split()


def test_bash_completes_commands_options_kinds_and_names(script: Path, plane: Plane) -> None:
    plane.put("instances/web-1", {"service": "web", "address": "10.0.0.7", "port": 80, "version": "v1"})
    assert completed(script, plane, "expl") == ["explain"]
    assert "--selector" in completed(script, plane, "get", "--s")
    assert completed(script, plane, "watch", "ro") == ["routes", "rollouts"]
    assert completed(script, plane, "get", "instances", "w") == ["web-1"]
    assert completed(script, plane, "explain", "") == ["web"]
    assert completed(script, plane, "--server", f"http://127.0.0.1:{plane.api}", "canary", "start", "w") == ["web"]
    assert completed(script, plane, "drain", "web-1", "--reason", "'new disk'", "--fo") == ["--for", "--force"]


@pytest.mark.parametrize(
    ("shell", "names", "asked"),
    [
        ("zsh", ["#compdef fairlead", "complete_zsh", "compdef", "funcstack[1] == _fairlead"],
         {"_TYPER_COMPLETE_ARGS": "fairlead watch ro"}),
        ("fish", ["complete --command fairlead", "complete_fish"],
         {"_TYPER_COMPLETE_ARGS": "fairlead watch ro", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}),
    ],
)  # fmt: skip
def test_the_scripts_of_other_shells_ask_the_same(
    fairlead: Fairlead, plane: Plane, shell: str, names: list[str], asked: dict[str, str]
) -> None:
    script = fairlead("completion", shell).stdout
    assert all(name in script for name in [*names, VARIABLE, *asked])
    env = {**os.environ, **asked, VARIABLE: f"complete_{shell}"}
    said = subprocess.run([FAIRLEAD], env=env, capture_output=True, text=True, timeout=60, check=False).stdout
    assert "routes" in said
    assert "rollouts" in said
    assert "instances" not in said
