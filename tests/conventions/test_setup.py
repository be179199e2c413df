"""Setting up says what is missing, in words, and leaves nothing half made."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.repo import ROOT

TOOLS = ("sh", "id", "cat", "rm", "mktemp")
OLD_PYTHON = """#!/bin/sh
if [ "$1" = --version ]; then echo "Python 3.9.2"; exit 0; fi
exit 1
"""
BARE_PYTHON = f"""#!/bin/sh
if [ "$1" = -m ]; then echo "ensurepip is not available"; exit 1; fi
exec {sys.executable} "$@"
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A PATH with the few programs every system has, and no package manager."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (programs / tool).symlink_to(found)
    return programs


def _run(machine: Path, script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(ROOT / "scripts" / script), *map(str, arguments)]
    env = {"PATH": str(machine), "HOME": str(machine)}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)


def _install(machine: Path, name: str, program: str) -> None:
    path = machine / name
    path.write_text(program)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_a_python_that_is_too_old_is_named_with_what_is_needed(machine: Path, tmp_path: Path) -> None:
    _install(machine, "python3", OLD_PYTHON)
    ran = _run(machine, "venv.sh", tmp_path / "venv")
    assert ran.returncode == 1
    assert "Python 3.11 or newer is needed; found: Python 3.9.2" in ran.stderr


def test_a_python_without_ensurepip_names_the_package_that_holds_it(machine: Path, tmp_path: Path) -> None:
    """Debian and Ubuntu ship it apart."""
    _install(machine, "python3", BARE_PYTHON)
    ran = _run(machine, "venv.sh", tmp_path / "venv")
    assert ran.returncode == 1
    assert "apt-get install python3." in ran.stderr
    assert "-venv" in ran.stderr
    assert not (tmp_path / "venv").exists()


def test_a_usable_environment_is_kept(machine: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv" / "bin"
    environment.mkdir(parents=True)
    _install(environment, "python", "#!/bin/sh\nexit 0\n")
    assert _run(machine, "venv.sh", tmp_path / "venv").returncode == 0
    assert (environment / "python").exists()


def test_a_missing_system_part_is_named_and_nothing_goes_on(machine: Path) -> None:
    ran = _run(machine, "system-parts.sh", "test")
    assert ran.returncode == 1
    assert "git" in ran.stderr
    assert "run make again" in ran.stderr


def test_make_alone_lists_what_there_is() -> None:
    ran = subprocess.run(["make", "-C", str(ROOT), "--no-print-directory"], capture_output=True, text=True, check=True)
    for target in ("demo", "test", "lint", "bench", "filter", "help"):
        assert f"make {target} " in ran.stdout
