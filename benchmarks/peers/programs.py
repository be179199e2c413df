"""Builds the Go programs of the benchmark, and says in words what is missing. There is no half of a comparison."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

PEERS = Path(__file__).parent
BUILT = PEERS.parent.parent / "build" / "peers"
CLIENT = "fanout-client"
GO_CONTROL_PLANE = "go-control-plane"
REGISTRY_CLIENT = "registry-client"
CONTAINER_APP = "container-app"
LOAD_CLIENT = "load-client"


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs that were built."""

    client: Path
    go_control_plane: Path


def build() -> Programs:
    """Build both programs and return them. Ends the program, in words, if there is no Go or if it does not build."""
    go = _go()
    return Programs(_built(go, CLIENT), _built(go, GO_CONTROL_PLANE))


def _go() -> str:
    go = shutil.which("go")
    if go is None:
        raise SystemExit(
            "fanout: Go is not installed (no `go` on PATH), and the client program and the peer are written in it. "
            "Nothing was measured, for half a comparison is none. Install Go 1.26 or newer and run this again"
        )
    return go


def build_registry() -> tuple[Path, Path]:
    """Build the client that registers and the one that is subscribed; ends the program as `build` does."""
    go = _go()
    return _built(go, REGISTRY_CLIENT), _built(go, CLIENT)


def build_container() -> Path:
    """Build the little program of a container, which needs no library there; ends the program as `build` does."""
    return _built(_go(), CONTAINER_APP, CGO_ENABLED="0")


def build_load() -> Path:
    """Build the client that asks at a steady rate; ends the program as `build` does."""
    return _built(_go(), LOAD_CLIENT)


def _built(go: str, name: str, **environment: str) -> Path:
    program = BUILT / name
    done = subprocess.run(
        [go, "build", "-o", str(program), "."],
        cwd=PEERS / name,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(
            f"fanout: benchmarks/peers/{name} does not build; nothing was measured\n{done.stderr.rstrip()}"
        )
    return program
