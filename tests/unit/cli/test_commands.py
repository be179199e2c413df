"""The command line itself: help, options, exit codes, and what never needs a control plane."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from xds.cli.main import app

NOBODY = "http://127.0.0.1:9"
COMMANDS = ["serve", "envoy", "bootstrap", "apply", "get", "delete", "explain", "traffic"]
COMMANDS += ["canary", "breaker", "filter", "demo", "version"]
STEPS = ["start", "set-weight", "pause", "resume", "promote", "abort", "status"]


def run(*words: str, **env: str) -> Result:
    return CliRunner().invoke(app, list(words), env={"FAIRLEAD_SERVER": NOBODY, **env}, terminal_width=200)


@pytest.mark.parametrize("words", [[], *([name] for name in COMMANDS), *(["canary", step] for step in STEPS)], ids=str)
def test_every_command_teaches(words: list[str]) -> None:
    result = run(*words, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.output


def test_the_exit_codes_are_documented() -> None:
    for words in ([], ["canary"]):
        assert "3 blocked or aborted" in " ".join(run(*words, "--help").output.split())


def test_help_costs_no_library_that_it_does_not_need() -> None:
    """`fairlead --help` answers at once: what a command needs is imported when it runs."""
    heavy = "httpx", "fastapi", "grpc", "pydantic", "betterproto2", "ruamel.yaml", "wasmtime", "uvicorn"
    probe = f"import sys, xds.cli.main; print([m for m in {heavy!r} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", probe], text=True).strip() == "[]"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["get", "service", "Web"], "'Web' is no name"),
        (["get", "services", "-l", "a=b"], "-l is for instances"),
        (["get", "rollout5"], "did you mean rollouts?"),
        (["delete", "node", "edge-1"], "observed, not declared"),
        (["canary", "set-weight", "web", "101"], "'101' is no weight"),
        (["canary", "set-weight", "web", "nan"], "'nan' is no weight"),
        (["canary", "set-weight", "web", "0.125"], "'0.125' is no weight"),
        (["canary", "start", "web", "v2", "--steps", "5,,10"], "'' is no weight"),
        (["canary", "start", "web", "v2", "--steps", "5", "--pause", "soon"], "--pause 'soon' is no time"),
        (["bootstrap", "--role", "gateway"], "--gateway: a gateway needs the name"),
        (["bootstrap", "--service", "web"], "--app: a sidecar that serves needs both"),
        (["bootstrap", "--app", "localhost:80", "--service", "web"], "--app: 'localhost' is not an IPv4 or IPv6"),
        (["bootstrap", "--egress", "127.0.0.1:70000"], "--egress: port 70000"),
        (["bootstrap", "--admin", "0.0.0.0:15000"], "--admin: the admin interface"),
        (["bootstrap", "--egress", "127.0.0.1:0"], "--egress: no port was allocated"),
        (["envoy", "--log-level", "loud"], "--log-level 'loud' is none of Envoy's"),
        (["serve", "--api", "0.0.0.0:15080"], "--api: api would listen on 0.0.0.0:15080 for anybody"),
        (["serve", "--ads", "[::]:15010"], "--ads: ads would listen on [::]:15010 for anybody"),
        (["serve", "--api", "here"], "--api: 'here' is not an address"),
        (["serve", "--filter", "/nowhere/x.wasm"], "--filter: /nowhere/x.wasm is not a file"),
        (["extproc", "--listen", "0.0.0.0:15090"], "--listen: 0.0.0.0:15090 would be open to anybody"),
        (["extproc", "--filter", "/nowhere/x.wasm"], "--filter: /nowhere/x.wasm cannot be read"),
        (["apply", "-f", "/nowhere.yaml"], "/nowhere.yaml: No such file"),
    ],
)
def test_input_that_can_never_work_exits_with_2_and_says_why(words: list[str], message: str) -> None:
    result = run(*words)
    assert message in result.stderr
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_no_command_is_a_usage_error() -> None:
    assert run().exit_code == 2
    assert run("promote").exit_code == 2
    assert run("apply").exit_code == 2


def test_a_control_plane_that_does_not_answer_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xds.cli.client._PAUSE_S", 0.0)
    result = run("get", "services")
    assert result.exit_code == 1
    assert f"no control plane answers at {NOBODY}" in result.stderr
    assert "fairlead serve" in result.stderr


def test_a_bootstrap_is_printed_without_a_control_plane(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("sesame\n", encoding="utf-8")
    printed = run("--token-file", str(token), "bootstrap", "--role", "gateway", "--gateway", "edge", "--json")
    document = json.loads(printed.output)
    assert document["node"]["id"].startswith("gateway-edge-")
    assert "Bearer sesame" in printed.output


def test_an_empty_token_file_is_refused(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("\n", encoding="utf-8")
    result = run("bootstrap", FAIRLEAD_TOKEN_FILE=str(token))
    assert result.exit_code == 2
    assert "is empty" in result.stderr


def test_the_versions_are_for_people_and_for_programs() -> None:
    assert "fairlead 0." in run("version").output
    assert json.loads(run("version", "--json").output)["envoy"].startswith("1.40.")
