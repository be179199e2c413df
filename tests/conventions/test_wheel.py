"""What is installed from a wheel is all that `fairlead` needs: the package, the filter, the demo's objects."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.harness.repo import ROOT, name_of, tracked_files


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, as the build backend of pyproject.toml makes it."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    ran = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_a_wheel_holds_the_package_the_filter_and_its_metadata_and_nothing_else(wheel: Path) -> None:
    package = {name for path in tracked_files() if (name := name_of(path)).startswith("xds/")}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == package | {"xds/filters/health.wasm"}


def test_an_installed_fairlead_finds_its_own_filter_and_the_demo_its_objects(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = (
        "import xds.config, xds.cli.demo\n"
        "from importlib.resources import files\n"
        "print(xds.config.built_in_filter())\n"
        "print(files('xds.cli.demo') / 'web.yaml')\n"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    module, objects = map(Path, ran.stdout.split())
    assert module == tmp_path / "xds" / "filters" / "health.wasm"
    assert module.read_bytes() == (ROOT / "filters" / "health.wasm").read_bytes()
    assert objects.is_relative_to(tmp_path)
    assert objects.is_file()
