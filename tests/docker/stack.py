"""The shipped compose file on an engine of its own: images made or built here, and a folder as a clone has it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.harness import images
from tests.harness.docker_engine import DockerEngine
from tests.harness.ports import free_port
from tests.harness.processes import Programs
from tests.harness.repo import ROOT, tracked_files

FILE: Final = "docker-compose.envoy.yml"
_BUILD_S: Final = 480
_SHIM: Final = """#!/bin/sh
[ "$1" = compose ] || exec {docker} "$@"
shift
exec {compose} "$@"
"""
"""`docker compose` where Compose is the program of that name and no plugin."""


class Stack:
    """What a user sees: a folder with the compose file, a shell whose `docker` is the test's engine, and a port."""

    def __init__(self, engine: DockerEngine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder / "fairlead"
        self.port = free_port()
        self._env = {
            **os.environ,
            "DOCKER_HOST": f"unix://{engine.socket}",
            "DOCKER_BUILDKIT": "0",  # the engine's own builder: it alone is in every installation
            "COMPOSE_DOCKER_CLI_BUILD": "0",
            "FAIRLEAD_ENVOY_IMAGE": images.ENVOY,
            "FAIRLEAD_DOCKER_SOCKET": str(engine.socket),
            "FAIRLEAD_LISTEN": f"127.0.0.1:{self.port}",
            "TMPDIR": str(folder),
        }
        for file in tracked_files():
            place = self.folder / file.relative_to(ROOT)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place)

    def build(self) -> None:
        """Make the images that a registry would give, and build the shipped ones: Compose finds each step done."""
        self.engine.docker("import", *images.base_settings(), str(images.base_archive()), images.BASE)
        context = images.envoy_context(self.folder.parent / "envoy")
        self.shell(f"docker build -q -t {images.ENVOY} {context}", _BUILD_S)
        for target, name in (("demo", "fairlead-demo:local"), ("fairlead", "fairlead:local")):
            # --network=host: this engine's own networks lead nowhere.
            self.shell(f"docker build -q --network=host --target {target} -t {name} .", _BUILD_S)

    def shell(self, script: str, timeout: float = 240) -> str:
        """What a script prints, run by bash in the folder; AssertionError with all of its words when it fails."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], cwd=self.folder, env=self._env, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def compose(self, words: str) -> str:
        """What `docker compose ...` prints."""
        return self.shell(f"docker compose -f {FILE} {words}").strip()

    def use_program(self, folder: Path) -> None:
        """Put a `docker` on the path that knows `compose`: $FAIRLEAD_COMPOSE, or the program where no plugin is."""
        told = os.environ.get("FAIRLEAD_COMPOSE", "")
        plugin = ["docker", "compose", "version"]
        if not told and subprocess.run(plugin, capture_output=True, check=False).returncode == 0:
            return
        docker, compose = shutil.which("docker"), told or shutil.which("docker-compose")
        assert compose is not None, "docker-compose is missing: scripts/system-parts.sh test installs it"
        folder.mkdir()
        shim = folder / "docker"
        shim.write_text(_SHIM.format(docker=docker, compose=compose), encoding="ascii")
        shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
        self._env["PATH"] = f"{folder}:{os.environ['PATH']}"


@contextmanager
def stack(folder: Path) -> Iterator[Stack]:
    """The engine with all images, and nothing running on it yet."""
    (folder / "logs").mkdir()
    (folder / "envoy").mkdir()
    programs = Programs(folder / "logs")
    engine = DockerEngine(programs, folder, storage="")
    try:
        with engine.running():
            made = Stack(engine, folder)
            made.use_program(folder / "bin")
            made.build()
            yield made
    finally:
        programs.stop_all()
