"""Real Envoys of a mesh: a bootstrap of our own making, started directly or by `fairlead envoy`."""

from __future__ import annotations

import http.client
import json
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.harness.filter_envoy import Json, counter, get
from tests.harness.processes import Program, Programs
from tests.harness.waiting import wait_until
from xds.bootstrap import BootstrapSpec, bootstrap

Patch = Callable[[Json], None]


@dataclass
class Proxy:
    """One Envoy: its name at the control plane, its program, and the ports it opens."""

    spec: BootstrapSpec
    program: Program
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Its node id."""
        return self.spec.node_id

    @property
    def port(self) -> int:
        """Where its clients ask: a gateway's listener, a sidecar's egress."""
        return self.ports["gateway" if "gateway" in self.ports else "egress"]

    def count(self, name: str) -> int:
        """A statistic."""
        return counter(self.ports["admin"], name)

    def counts(self, pattern: str) -> dict[str, int]:
        """All statistics that match, by name."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["admin"], timeout=10)
        try:
            connection.request("GET", f"/stats?format=json&filter={pattern}")
            document = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return {stat["name"]: int(stat["value"]) for stat in document["stats"] if "value" in stat}

    def updates(self) -> dict[str, int]:
        """How often each kind of configuration was taken or refused: what a push would change.

        `update_attempt` is left out, because a stream that opens again counts as one; so is runtime by xDS, because
        nobody can prove to hold what does not exist, and its absence is told on every stream.
        """
        names = self.counts(
            r"(update_success|update_rejected|config_reload|listener_(added|modified|removed)|version)$"
        )
        return {name: value for name, value in names.items() if not name.startswith("runtime.")}

    def clusters(self) -> set[str]:
        """The clusters that it was sent and has taken, by name."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["admin"], timeout=10)
        try:
            connection.request("GET", "/config_dump?resource=dynamic_active_clusters")
            document = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return {entry["cluster"]["name"] for entry in document.get("configs", [])}

    def stop_working(self) -> None:
        """SIGSTOP."""
        self.program.send(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        self.program.send(signal.SIGCONT)

    @property
    def is_ready(self) -> bool:
        """Whether it has its first configuration."""
        if not self.program.running:
            raise RuntimeError(f"{self.id} ended:\n{self.program.output()[-3000:]}")
        try:
            return get(self.ports["admin"], "/ready")[0] == 200
        except OSError:
            return False

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Wait until it has its first configuration."""
        wait_until(lambda: self.is_ready, timeout, what=f"{self.id} is ready")


def by_bootstrap(
    programs: Programs, binary: Path, folder: Path, spec: BootstrapSpec, *, patch: Patch | None = None
) -> Proxy:
    """Start the binary on the bootstrap of `spec`, which `patch` may change."""
    document: Json = bootstrap(spec)
    if patch is not None:
        patch(document)
    path = folder / f"{spec.node_id}.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    command: list[str | Path] = [binary, "-c", path, "--concurrency", "1", "--use-dynamic-base-id", "-l", "warn"]
    program = programs.start(command, name=spec.node_id)
    return Proxy(spec, program, {name: address.port for name, address in spec.binds.items()})


def by_command(programs: Programs, spec: BootstrapSpec, *, drain_time: float = 1.0) -> Proxy:
    """Start the same Envoy as a person would: `fairlead envoy`."""
    words = ["--id", spec.node_id, "--role", spec.role.value, "--env", spec.env, "--ads", str(spec.ads)]
    words += ["--admin", str(spec.admin), "--concurrency", "1", "--drain-time", f"{drain_time:g}"]
    if spec.gateway:
        words += ["--gateway", spec.gateway, *(["--listen", str(spec.bind)] if spec.bind else [])]
    else:
        words += ["--egress", str(spec.egress or "off"), "--ingress", str(spec.ingress or "off")]
    if spec.service:
        words += ["--service", spec.service, "--version", spec.version, "--app", str(spec.app)]
    if spec.upstreams:
        words += ["--upstreams", spec.upstreams]
    program = programs.fairlead("envoy", *words, name=f"fairlead-{spec.node_id}")
    return Proxy(spec, program, {name: address.port for name, address in spec.binds.items()})
