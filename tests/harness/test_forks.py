"""A forked `fairlead` is a real process; what it could not be, it is not."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.harness import forks
from tests.harness.plane import Plane
from tests.harness.processes import Programs
from tests.harness.waiting import wait_until


def test_it_has_its_own_id_arguments_folder_and_variables(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAIRLEAD_LOG_LEVEL", "nonsense")
    first = programs.fairlead("serve", "--data-dir", "here", env={"FAIRLEAD_API": "127.0.0.1:0"})
    second = programs.fairlead("version")
    assert len({first.pid, second.pid, os.getpid()}) == 3
    assert (first.wait(), second.wait()) == (2, 0)
    assert "--log-level: " in first.output()
    assert second.output().startswith("fairlead ")


def test_it_ends_as_it_is_told_to_and_its_code_says_how(programs: Programs, tmp_path: Path) -> None:
    plane = Plane(programs, tmp_path / "data", "--filter", "none")
    try:
        for end, code in ((signal.SIGTERM, 0), (signal.SIGKILL, -9)):
            plane.start()
            program = plane.program
            assert program is not None
            assert program.running
            program.send(end)
            assert program.wait() == code
            assert program.stop() == code, "its end is remembered"
    finally:
        plane.close()


def test_it_inherits_what_a_started_program_does(programs: Programs, tmp_path: Path) -> None:
    plane = Plane(programs, tmp_path / "data", "--filter", "none")
    plane.start()
    plane.close()
    other = programs.start([sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"])
    wait_until(lambda: "up" in other.output(), 30)
    assert plane.program is not None
    assert _inherited(plane.program.pid) == _inherited(other.pid)


def _inherited(pid: int) -> dict[str, object]:
    of = Path(f"/proc/{pid}")
    status = dict(line.split(":\t", 1) for line in (of / "status").read_text().splitlines())
    return {
        "limits": (of / "limits").read_text(),
        "signals": (status["SigBlk"], status["SigIgn"]),
        "processors": status["Cpus_allowed_list"],
        "folder": (of / "cwd").readlink(),
        "input": (of / "fd/0").readlink(),
        "group": os.getpgid(pid),
    }


def test_other_variables_than_its_own_mean_another_start(monkeypatch: pytest.MonkeyPatch) -> None:
    server = forks.server()
    assert server is not None
    assert server.suits({"FAIRLEAD_TOKEN": "x"})
    assert not server.suits({"GRPC_VERBOSITY": "debug"})
    monkeypatch.setenv("PATH", "/nowhere")
    assert not server.suits({})
