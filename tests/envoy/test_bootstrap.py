"""The generated bootstrap on a real Envoy, with a real control plane: what it starts with, what it refuses to lose."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from tests.harness.processes import Program, Programs
from tests.harness.repo import ROOT
from tests.harness.waiting import wait_until
from xds.bootstrap import BootstrapSpec, bootstrap
from xds.cli.documents import read_files, to_yaml
from xds.model.instance import Address
from xds.model.node import Role

pytestmark = pytest.mark.envoy

SIDECAR = BootstrapSpec(service="web", version="v1", app=Address("127.0.0.1", 8080))
GATEWAY = BootstrapSpec(role=Role.GATEWAY, gateway="edge")
HERE = "127.0.0.1"
ANY = Address(HERE, 0)


@dataclass
class Plane:
    """A control plane that was started with `fairlead serve`."""

    api: str
    ads: Address
    program: Program

    def apply(self, *documents: dict[str, object]) -> None:
        answer = httpx.post(f"{self.api}/v1/apply", json={"documents": documents})
        assert answer.json()["failed"] == 0, answer.text


@dataclass
class Node:
    """One Envoy, run with its bootstrap as its only configuration."""

    spec: BootstrapSpec
    program: Program

    def admin(self, path: str) -> str:
        return httpx.get(f"http://{self.spec.admin}{path}", timeout=5).text

    def is_live(self) -> bool:
        try:
            return self.admin("/ready") == "LIVE\n"
        except httpx.TransportError:
            return False

    def stats(self, pattern: str) -> dict[str, int]:
        """The matching counters and gauges; none while Envoy does not answer yet."""
        try:
            found = json.loads(self.admin(f"/stats?format=json&filter={pattern}"))["stats"]
        except httpx.TransportError:
            return {}
        return {stat["name"]: int(stat["value"]) for stat in found if "value" in stat}


@pytest.fixture
def serve(programs: Programs, tmp_path: Path) -> Callable[..., Plane]:
    """Starts a control plane; the ADS port is chance unless it is given."""

    def started(ads: Address = ANY) -> Plane:
        fairlead = Path(sys.executable).with_name("fairlead")
        where = ["--data-dir", str(tmp_path / "data"), "--api", str(ANY), "--ads", str(ads)]
        command: list[str | Path] = [
            fairlead,
            "serve",
            "--filter",
            "none",
            *where,
            "--log-level",
            "warning",
            "-o",
            "json",
        ]
        program = programs.start(command, name="serve")
        line = wait_until(
            lambda: next((text for text in program.output().splitlines() if text.startswith("{")), None), timeout=40
        )
        said = json.loads(line)
        return Plane(said["api"], Address.parse(said["ads"], pointer=""), program)

    return started


@pytest.fixture
def plane(serve: Callable[..., Plane]) -> Plane:
    return serve()


@pytest.fixture
def start(
    programs: Programs, envoy_binary: Path, free_port: Callable[[], int], tmp_path: Path
) -> Callable[[BootstrapSpec], Node]:
    def started(spec: BootstrapSpec) -> Node:
        own = replace(spec, admin=Address(HERE, free_port()), egress=None)
        file = tmp_path / f"{own.node_id}.json"
        file.write_text(json.dumps(bootstrap(own)), encoding="utf-8")
        command: list[str | Path] = [envoy_binary, "-c", file, "--use-dynamic-base-id", "--concurrency", "1"]
        return Node(own, programs.start(command, name=own.node_id))

    return started


def instance(version: str) -> dict[str, object]:
    return {
        "kind": "instance",
        "service": "web",
        "address": HERE,
        "port": 9,
        "version": version,
        "id": f"web-{version}",
    }


ROUTE: dict[str, object] = {"kind": "route", "name": "web.all", "service": "web", "hosts": ["*"]}
"""A gateway receives what its routes lead to, and nothing without one."""
EDGE: dict[str, object] = {
    "kind": "gateway",
    "name": "edge",
    "listeners": [{"name": "http", "address": HERE, "port": 9}],
}


@pytest.mark.parametrize(("name", "spec"), [("sidecar", SIDECAR), ("gateway", GATEWAY)])
def test_the_static_files_are_what_the_code_generates(name: str, spec: BootstrapSpec) -> None:
    """`fairlead bootstrap` with the words in the file's first lines makes it anew."""
    text = (ROOT / "envoy" / f"bootstrap-{name}.yaml").read_text(encoding="utf-8")
    body = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    assert body == to_yaml(bootstrap(spec))


@pytest.mark.parametrize("name", ["sidecar", "gateway"])
def test_envoy_accepts_the_static_files(name: str, envoy_binary: Path) -> None:
    file = ROOT / "envoy" / f"bootstrap-{name}.yaml"
    ran = subprocess.run(
        [envoy_binary, "--mode", "validate", "-c", file, "--use-dynamic-base-id"], capture_output=True, check=False
    )
    assert ran.returncode == 0, ran.stderr.decode()


def test_envoy_accepts_everything_that_can_be_said(envoy_binary: Path, tmp_path: Path) -> None:
    full = replace(
        SIDECAR, token="sesame", region="eu", zone="eu-1", ads=Address("xds.example.com", 1), egress=Address("::1", 1)
    )
    file = tmp_path / "full.yaml"
    file.write_text(to_yaml(bootstrap(full)), encoding="utf-8")
    (read,) = read_files([str(file)], [])
    assert read.value == bootstrap(full)
    subprocess.run([envoy_binary, "--mode", "validate", "-c", file], capture_output=True, check=True)


def test_a_node_starts_without_waiting_for_what_a_later_release_answers(
    plane: Plane, start: Callable[[BootstrapSpec], Node]
) -> None:
    """Runtime by xDS comes first at an Envoy's start: an answer that never came would cost its whole patience."""
    plane.apply(EDGE, ROUTE, instance("v1"))
    node = start(replace(GATEWAY, ads=plane.ads))
    wait_until(node.is_live, timeout=10)
    assert node.stats(r"^(runtime|cluster_manager\.cds|listener_manager\.lds)\.init_fetch_timeout$") == {
        "runtime.init_fetch_timeout": 0,
        "cluster_manager.cds.init_fetch_timeout": 0,
        "listener_manager.lds.init_fetch_timeout": 0,
    }
    assert not sum(node.stats(r"update_rejected$|runtime\.load_error$").values())


def test_an_environment_that_is_still_empty_holds_nothing_up(
    plane: Plane, start: Callable[[BootstrapSpec], Node]
) -> None:
    """Envoy's guard against an emptied mesh refuses "no clusters" even where there never was one (measured).

    It is live all the same, and takes the first cluster as soon as there is one.
    """
    node = start(replace(GATEWAY, ads=plane.ads))
    wait_until(node.is_live, timeout=10)
    plane.apply(EDGE, ROUTE, instance("v1"))

    def clusters() -> dict[str, object] | None:
        found = httpx.get(f"{plane.api}/v1/nodes/{node.spec.node_id}").json()["types"]["cds"]
        return found if "web/v1" in found["acked"] else None

    assert wait_until(clusters, timeout=10)["nack"] is None


def test_the_control_plane_sees_the_node_as_the_bootstrap_describes_it(
    plane: Plane, start: Callable[[BootstrapSpec], Node]
) -> None:
    node = start(replace(SIDECAR, ads=plane.ads, ingress=None))

    def seen() -> dict[str, object] | None:
        answer = httpx.get(f"{plane.api}/v1/nodes/{node.spec.node_id}")
        return answer.json() if answer.status_code == 200 else None

    found = wait_until(seen, timeout=15)
    assert (found["role"], found["service"], found["state"]) == ("sidecar", "web", "live")


def test_an_envoy_finds_its_control_plane_when_that_comes_later(
    serve: Callable[..., Plane], start: Callable[[BootstrapSpec], Node], free_port: Callable[[], int]
) -> None:
    """Reconnects back off to 10 s, not to Envoy's 30."""
    ads = Address(HERE, free_port())
    node = start(replace(GATEWAY, ads=ads))
    wait_until(lambda: sum(node.stats(r"fairlead-xds\.upstream_cx_connect_fail$").values()), timeout=15)
    serve(ads)
    connected = r"^control_plane\.connected_state$"
    wait_until(lambda: node.stats(connected) == {"control_plane.connected_state": 1}, timeout=25)


def test_statistics_of_a_cluster_carry_its_service_and_subset(
    plane: Plane, start: Callable[[BootstrapSpec], Node]
) -> None:
    """Names in statistics have no dots: `web/2.4.1` would be torn into tags."""
    plane.apply(EDGE, ROUTE, instance("2.4.1"))
    node = start(replace(GATEWAY, ads=plane.ads))
    wait_until(node.is_live, timeout=10)
    lines = wait_until(
        lambda: [line for line in node.admin("/stats/prometheus").splitlines() if 'fairlead_service="web"' in line],
        timeout=10,
    )
    total = next(line for line in lines if line.startswith("envoy_cluster_membership_total{") and "2~4~1" in line)
    assert 'fairlead_subset="2~4~1"' in total
    assert total.endswith(" 1")
