"""A control plane, gRPC servers, and programs that dial `xds:///...` with nothing between them and the servers."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness import grpc_client, grpc_server
from tests.harness.plane import Json, Plane
from tests.harness.processes import Program, Programs
from tests.harness.waiting import wait_until


@pytest.fixture
def plane(programs: Programs, tmp_path: Path) -> Iterator[Plane]:
    """A control plane with nothing declared."""
    made = Plane(programs, tmp_path / "data")
    made.start()
    yield made
    made.close()


@dataclass
class Caller:
    """One program with one channel."""

    program: Program

    def answers(self) -> list[str]:
        """Every call's outcome so far: a version, or what went wrong."""
        text = self.program.output()
        lines = text[: text.rfind("\n") + 1].splitlines()
        return [line.removeprefix("answered ") for line in lines if line.startswith(("answered ", "failed "))]

    def next(self, calls: int) -> Counter[str]:
        """The outcomes of that many calls that begin from now on; AssertionError where one of them failed."""
        start = len(self.answers()) + 1  # one may be under way
        wait_until(lambda: len(self.answers()) >= start + calls, 30, what=f"{calls} more calls")
        counted = Counter(self.answers()[start : start + calls])
        assert not self.failures(), self.failures()[:5]
        return counted

    def failures(self) -> list[str]:
        """Every call that failed."""
        return [line for line in self.answers() if line.startswith("failed ")]


Call = Callable[..., Caller]


@pytest.fixture
def call(plane: Plane, programs: Programs) -> Call:
    """Start a program that calls a target, by the bootstrap that the control plane gives out."""

    def start(target: str, node: str = "caller", *, rate: int = 200, metadata: Json | None = None) -> Caller:
        bootstrap = plane.get("bootstrap", role="grpc", id=node)
        if metadata is not None:
            bootstrap["node"]["metadata"] = metadata
        environment = {"GRPC_XDS_BOOTSTRAP_CONFIG": json.dumps(bootstrap)}
        command = [sys.executable, grpc_client.__file__, target, str(rate)]
        return Caller(programs.start(command, name=node, env=environment))

    return start


@pytest.fixture
def serve(programs: Programs, free_port: Callable[[], int]) -> Callable[..., dict[str, int]]:
    """Start gRPC servers in one program; their ports by version."""

    def start(*versions: str) -> dict[str, int]:
        ports = {version: free_port() for version in versions}
        words = [f"{version}:{port}" for version, port in ports.items()]
        program = programs.start([sys.executable, grpc_server.__file__, *words], name="servers-" + "-".join(versions))
        wait_until(lambda: "up" in program.output(), what="the servers listen")
        return ports

    return start
