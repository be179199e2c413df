"""`fairlead agent --status`, which a container's health check asks again and again: its words and exit codes."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from xds.cli.exits import Exit
from xds.cli.main import app


def asked(folder: Path) -> Result:
    return CliRunner().invoke(app, ["agent", "--status", "--data-dir", str(folder)])


@pytest.mark.parametrize(("ready", "code"), [(True, 0), (False, Exit.REFUSED)])
def test_the_exit_code_tells_whether_the_agent_is_well(tmp_path: Path, ready: bool, code: int) -> None:
    (tmp_path / "status.json").write_text(json.dumps({"ready": ready}))
    said = asked(tmp_path)
    assert (said.exit_code, json.loads(said.output)) == (code, {"ready": ready})


def test_a_status_that_nobody_keeps_any_more_is_not_well(tmp_path: Path) -> None:
    status = tmp_path / "status.json"
    status.write_text('{"ready": true}')
    os.utime(status, (0, 0))
    assert "the agent does not run: this is" in asked(tmp_path).output
    status.unlink()
    assert "no agent keeps its status in" in asked(tmp_path).output


def test_a_folder_that_is_named_is_read_without_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken settings file is the agent's to report, and reading it costs more than the answer."""
    monkeypatch.setenv("FAIRLEAD_AGENT_CONFIG", str(tmp_path / "missing.yaml"))
    monkeypatch.setitem(sys.modules, "xds.agent.settings", None)
    (tmp_path / "status.json").write_text('{"ready": true}')
    assert asked(tmp_path).exit_code == 0
