"""A real control plane, and the command line pointed at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.harness.plane import Plane
from tests.harness.processes import Programs
from xds.cli.main import app

Fairlead = Callable[..., Result]


@pytest.fixture
def plane(programs: Programs, tmp_path: Path) -> Iterator[Plane]:
    plane = Plane(programs, tmp_path / "data", "--filter", "none", "--log-level", "warning")
    plane.start()
    yield plane
    plane.close()


@pytest.fixture
def fairlead(plane: Plane) -> Fairlead:
    """Runs one command against the control plane; `stdin` is what it reads, `exit_code` what it must end with."""

    def run(*words: str, exit_code: int = 0, stdin: str | None = None) -> Result:
        env = {"FAIRLEAD_SERVER": f"http://127.0.0.1:{plane.api}", "FAIRLEAD_TOKEN": "", "FAIRLEAD_ENV": "default"}
        result = CliRunner().invoke(app, list(words), env=env, input=stdin)
        assert result.exit_code == exit_code, f"{words}: {result.exit_code}\n{result.output}\n{result.exception!r}"
        return result

    return run
