"""A host as the tests of the agent have it: a real engine, the agent, and a control plane beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from tests.harness.docker_engine import DockerEngine
from tests.harness.envoy import envoy_path
from tests.harness.plane import Plane
from tests.harness.ports import free_port
from tests.harness.processes import Program, Programs
from tests.harness.proxy import Proxy, by_bootstrap
from tests.harness.recorder import Recorder
from tests.harness.waiting import wait_until
from xds.bootstrap import BootstrapSpec
from xds.cli.main import app
from xds.model.instance import Address
from xds.model.node import Role


class Host:
    """A host with an engine, an agent that asks it through a recorder, and a control plane beside it."""

    def __init__(self, programs: Programs, engine: DockerEngine, recorder: Recorder, folder: Path) -> None:
        self._programs = programs
        self.engine = engine
        self.recorder = recorder
        self.folder = folder
        self.plane = Plane(programs, folder / "plane", "--filter", "none")
        self.agent: Program | None = None
        self.tls = ""  # where the engine listens, too
        self.settings = folder / "agent.yaml"
        self.overlay = folder / "agent.test.yaml"
        for file in (self.settings, self.overlay):
            file.write_text("{}\n")

    def start_agent(self) -> None:
        self.agent = self._programs.fairlead(
            "--server", f"http://127.0.0.1:{self.plane.api}", "agent", "--docker", f"unix://{self.recorder.path}",
            "--data-dir", self.folder / "agent", "--id", "here", "--ttl", "60",
            "--config", self.settings, "--config-env", "test", name="agent",
        )  # fmt: skip

    def gateway(self) -> Proxy:
        """Start an Envoy that serves every host that a route names."""
        port = free_port()
        listeners = [{"name": "http", "address": "127.0.0.1", "port": port}]
        self.plane.put("gateways/edge", {"listeners": listeners, "hosts": ["*"]})
        admin, ads = Address("127.0.0.1", free_port()), Address("127.0.0.1", self.plane.ads)
        spec = BootstrapSpec(role=Role.GATEWAY, id="edge", gateway="edge", admin=admin, ads=ads)
        envoy = by_bootstrap(self._programs, envoy_path(), self.folder, spec)
        envoy.ports["gateway"] = port
        envoy.wait_ready()
        return envoy

    def output(self) -> str:
        """What the agent has logged."""
        assert self.agent is not None
        return self.agent.output()

    def registered(self) -> dict[str, Any]:
        """The instances that the control plane knows, by the name of their container."""
        found: Any = self.plane.get("instances")
        return {each["metadata"]["docker.container"]: each for each in found["items"]}

    def declared(self, kind: str, name: str) -> dict[str, Any]:
        """An object of that name, nothing while there is none."""
        found: Any = self.plane.get(kind)["items"]
        return next((each for each in found if each["name"] == name), {})

    def awaits(self, *names: str, timeout: float = 30.0) -> dict[str, Any]:
        """Wait until exactly these containers are registered; returns their instances."""
        wanted = set(names)

        def there() -> dict[str, Any]:
            found = self.registered()
            assert found.keys() == wanted, (sorted(found), self.states())
            return {"found": found}

        found: dict[str, Any] = wait_until(there, timeout, what=f"registered are {sorted(wanted)}, and nobody else")[
            "found"
        ]
        return found

    def states(self) -> dict[str, str]:
        """How each container stands, in the agent's own words."""
        try:
            found: Any = json.loads((self.folder / "agent" / "status.json").read_text())
        except OSError:
            return {}
        return dict(found["containers"])

    def explain(self, container: str) -> str:
        """What `fairlead explain` prints of a container."""
        server = f"http://127.0.0.1:{self.plane.api}"
        return CliRunner().invoke(app, ["--server", server, "explain", "--container", container]).output

    def explains(self, name: str, words: str) -> None:
        wait_until(lambda: words in self.explain(name), 20, what=f"{name} is explained with {words!r}")

    def says(self, name: str, words: str) -> None:
        wait_until(
            lambda: words in self.states().get(name, ""), 20, what=f"{name} is said to be {words!r}: {self.states()}"
        )
