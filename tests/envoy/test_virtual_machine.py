"""The way in for virtual machines, as a new user would go it: two processes on one host, and a gateway before them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.harness import upstream
from tests.harness.load import Load, request, users
from tests.harness.mesh import USER, Mesh, Town
from tests.harness.plane import PYTHON
from tests.harness.ports import free_port
from tests.harness.processes import FAIRLEAD, Program
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.envoy

KILLED = 128 + 9


def started(mesh: Mesh, name: str, port: int) -> Program:
    """`fairlead register ... -- python3 app.py`; the application answers with its name."""
    words = ["--service", "vm", "--port", str(port), "--version", "v1", "--label", f"name={name}", "--drain", "2"]
    server = ["--server", f"http://127.0.0.1:{mesh.plane.api}"]
    program = [PYTHON, upstream.__file__, f"{name}:{port}"]
    return mesh.programs.start([FAIRLEAD, *server, "register", *words, "--", *program], name=f"register-{name}")


def instances(mesh: Mesh) -> set[str]:
    return {found["labels"]["name"] for found in mesh.plane.get("instances", service="vm")["items"]}


def child(program: Program) -> int:
    return int(Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()[0])


def kill(program: Program) -> None:
    """kill -9 of the application itself; the command that watches it goes on."""

    os.kill(child(program), signal.SIGKILL)


def test_processes_by_fairlead_register_come_and_go_without_a_failed_request(town: Town) -> None:
    """M03, M49, M59: one is killed under load, comes back, and the other is stopped: nobody notices."""
    mesh, ports = town.mesh, {"a": free_port(), "b": free_port()}
    mesh.service("vm", hosts=["vm.test"])
    programs = {name: started(mesh, name, port) for name, port in ports.items()}
    wait_until(lambda: instances(mesh) == {"a", "b"}, 30, what="both are registered")
    mesh.plane.acked("vm", nodes=2)
    mesh.reachable(town.gateway.port, "vm.test")
    _, requests = users(60, lambda name: request("vm.test", (USER, name)))
    with Load(town.gateway.port, requests, pause=0.004) as load:
        load.wait_rounds()
        assert {seen.version for seen in load.seen} == {"a", "b"}

        kill(programs["a"])
        assert programs["a"].wait(60) == KILLED
        assert instances(mesh) == {"b"}
        load.wait_rounds()
        mesh.plane.settled(town.gateway.id)
        since = load.settled()
        load.wait_rounds()
        assert {version for met in load.by_user(since).values() for version in met} == {"b"}

        again = started(mesh, "a", ports["a"])
        wait_until(lambda: instances(mesh) == {"a", "b"}, 30, what="it is back")
        assert mesh.plane.get(f"instances/vm-127-0-0-1-{ports['a']}")["health"] == "healthy"
        load.wait_rounds(2)

        programs["b"].send(signal.SIGTERM)
        assert programs["b"].wait(60) == 0
        assert instances(mesh) == {"a"}
        load.wait_rounds()
    assert not load.failures, (len(load.failures), load.failures[:3])
    assert again.running
    again.send(signal.SIGTERM)
    assert again.wait(60) == 0
