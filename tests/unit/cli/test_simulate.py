"""`fairlead simulate` as an operator calls it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from xds.cli.main import app

SHORT = ["--for", "10s", "--rate", "50", "--version", "v1=80", "--version", "v2=20,errors=100,from=2s,to=4s"]


def simulate(*words: str) -> Result:
    return CliRunner().invoke(app, ["simulate", *words])


def test_it_prints_runs_versions_changes_and_a_chart() -> None:
    result = simulate(*SHORT)
    assert result.exit_code == 0, result.output
    for words in ("SETTING", "the rule", "SHARE WITHOUT", "CUT OFF FOR", "consecutive", "errors with"):
        assert words in result.output


def test_for_programs_it_prints_json() -> None:
    result = simulate(*SHORT, "--workers", "1", "--compare", "consecutive=3,10", "-o", "json")
    found = json.loads(result.stdout)
    assert [run["setting"] for run in found] == ["consecutive=3", "consecutive=10"]
    assert found[0]["errors_with"] < found[1]["errors_with"] < found[0]["errors_without"]
    assert found[0]["breaker"]["consecutive"] == 3


def test_a_log_is_played(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    lines = [
        {
            "time": number / 20,
            "key": f"user-{number % 40}",
            "version": version,
            "status": 500 if version == "v2" else 200,
        }
        for number in range(200)
        for version in ("v1", "v2")
    ]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    result = simulate("--log", str(path), "--version", "v1=80", "--version", "v2=20", "-o", "json")
    (found,) = json.loads(result.stdout)
    assert found["requests"] == 400
    assert found["errors_without"] > found["errors_with"] > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--version", "v1=10"], "--version: the weights of all versions add up to 10"),
        (["--rule", "x=1"], "--rule: a rule has no 'x'"),
        (["--for", "ever"], "--for: 'ever' is no time"),
        (["--log", "/nowhere.jsonl", "--version", "v1=100"], "--log: /nowhere.jsonl cannot be read"),
        (["--log", "/nowhere.jsonl", "--version", "v1=100,ms=3"], "--version: how versions answer is in the log"),
        (["--filter", "/nowhere.wasm"], "--filter: /nowhere.wasm cannot be read"),
        (["--chart", "x.gif"], "--chart: x.gif is neither"),
    ],
)
def test_input_that_can_never_work_is_refused_in_words(words: list[str], message: str) -> None:
    result = simulate(*words)
    assert message in result.stderr
    assert result.exit_code == 2


def test_without_the_library_that_draws_it_says_which_extra_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = simulate("--chart", "x.svg")
    assert "pip install 'fairlead[chart]'" in result.stderr
    assert result.exit_code == 1


def test_a_module_that_is_no_filter_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "no.wasm"
    path.write_bytes(b"no filter")
    result = simulate("--filter", str(path))
    assert "not WebAssembly" in result.stderr
    assert result.exit_code == 1
