"""The real control plane as a program, and its HTTP API as a test speaks it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final  # documents of the API are JSON; a test asserts what it reads of them

import httpx

from tests.harness.ports import free_port
from tests.harness.processes import Program, Programs
from tests.harness.waiting import wait_until

PYTHON: Final = sys.executable
WORKERS_S: Final = 0.1
"""Envoy acknowledges in its main thread; its workers follow at their next turn."""
Json = dict[str, Any]


class Refused(AssertionError):
    """The API answered with an error; `document` is its problem document."""

    def __init__(self, words: str, status: int, document: Json) -> None:
        super().__init__(f"{words}: {status} {document}")
        self.status = status
        self.document = document


class Plane:
    """`fairlead serve` on free ports and a data folder of its own; it can be killed and started again on both."""

    def __init__(
        self,
        programs: Programs,
        folder: Path,
        *flags: str,
        token: str = "",
        listen: str = "127.0.0.1",
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._programs = programs
        self._flags = flags
        self._listen = listen
        self._env = env
        self.folder = folder
        self.api, self.ads = free_port(), free_port()
        self.program: Program | None = None
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{self.api}",
            timeout=20,
            trust_env=False,
            headers={"authorization": f"Bearer {token}"} if token else {},
        )

    def start(self) -> None:
        """Start it and wait until it has loaded and published everything."""
        places = ["--api", f"{self._listen}:{self.api}", "--ads", f"127.0.0.1:{self.ads}"]
        self.program = self._programs.fairlead(
            "serve", "--data-dir", self.folder, *places, *self._flags, name="control-plane", env=self._env
        )
        wait_until(self._is_ready, 30, what="the control plane is ready")

    def memory(self, kind: str = "VmRSS") -> int:
        """Its resident memory, in bytes; `VmHWM` is the most it ever was."""
        assert self.program is not None
        status = Path(f"/proc/{self.program.pid}/status").read_text()
        return int(status.partition(f"{kind}:")[2].split()[0]) * 1024

    def cpu(self) -> float:
        """The processor time that it has used, in seconds."""
        assert self.program is not None
        after_name = Path(f"/proc/{self.program.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """kill -9."""
        assert self.program is not None
        self.program.kill()

    def close(self) -> None:
        """Let go of the connections; the program is ended by whoever started it."""
        self._client.close()

    def get(self, path: str, **query: str | float) -> Json:
        """The document at `path` below /v1."""
        return self._ask("GET", path, params=query)

    def put(self, path: str, document: Mapping[str, object]) -> Json:
        """Declare an object."""
        return self._ask("PUT", path, json=document)

    def post(self, path: str, document: Mapping[str, object] | None = None) -> Json:
        """Start or step something."""
        return self._ask("POST", path, json=document)

    def delete(self, path: str, **query: str) -> None:
        """Remove an object."""
        self._ask("DELETE", path, params=query)

    def metrics(self) -> str:
        """What Prometheus would read."""
        return self._client.get("/metrics").raise_for_status().text

    # -- rollouts -----------------------------------------------------------------------------------------------

    def rollout(self, rollout: str, state: str = "done", timeout: float = 30.0) -> Json:
        """Wait until the gate of a rollout is in this state; the rollout then."""

        def there() -> Json | None:
            found = self.get(f"rollouts/{rollout}")
            assert found["gate"]["state"] == state, (found["state"], found["reason"], found["gate"])
            return found

        return wait_until(there, timeout, what=f"the gate of {rollout} is {state}")

    def phase(self, rollout: str, phase: str, timeout: float = 30.0) -> Json:
        """Wait until a rollout is in this phase; the rollout then."""

        def there() -> Json | None:
            found = self.get(f"rollouts/{rollout}")
            assert found["phase"] == phase, (found["state"], found["reason"], found["gate"])
            return found

        return wait_until(there, timeout, what=f"{rollout} is {phase}")

    def set_weight(self, rollout: str, weight: float) -> Json:
        """Set a weight by hand and wait until every Envoy has acknowledged it."""
        self.post(f"rollouts/{rollout}:set-weight", {"weight": weight})
        found = self.rollout(rollout)
        assert found["weight"] == weight
        time.sleep(WORKERS_S)
        return found

    # -- Envoys -------------------------------------------------------------------------------------------------

    def node(self, node: str) -> Json:
        """What is known of an Envoy."""
        return self.get(f"nodes/{node}")

    def acked(self, service: str, env: str = "default", nodes: int = 1, timeout: float = 30.0) -> Json:
        """Wait until that many Envoys, and all of them, have acknowledged the service's weights; its explanation."""

        def there() -> Json | None:
            found = self.get(f"services/{service}:explain", env=env)
            states = {node["node"]: node["state"] for node in found["nodes"]}
            assert len(states) >= nodes, states
            assert set(states.values()) == {"done"}, found["nodes"]
            return found

        found = wait_until(there, timeout, what=f"{service} is acknowledged by {nodes}")
        time.sleep(WORKERS_S)
        return found

    def settled(self, *nodes: str, timeout: float = 30.0) -> None:
        """Wait until these Envoys have acknowledged all they were sent."""

        def there() -> bool:
            for name in nodes:
                found = self.node(name)
                assert found["connected"], found
                assert {"cds", "lds", "rds"} <= found["types"].keys(), found["types"].keys()
                for kind, held in found["types"].items():
                    assert held["acked"] == held["sent"], (name, kind, held)
                    assert held["pending_for"] is None, (name, kind, held)
            return True

        wait_until(there, timeout, what=f"{', '.join(nodes)} have acknowledged everything")

    def _ask(self, method: str, path: str, **more: Any) -> Json:
        answer = self._client.request(method, f"/v1/{path}", **more)
        document: Json = answer.json() if answer.content else {}
        if answer.is_error:
            raise Refused(f"{method} /v1/{path}", answer.status_code, document)
        return document

    def _is_ready(self) -> bool:
        if self.program is None or not self.program.running:
            raise RuntimeError(f"the control plane ended:\n{self.program.output()[-3000:] if self.program else ''}")
        try:
            return self._client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False
