"""The filter late, refused or trapping in a real Envoy: requests flow, and the split holds, at random where it must."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import wasmtime

from tests.harness.filter_envoy import (
    HEADER,
    SLOT,
    Json,
    cluster,
    counter,
    discovered,
    get,
    listener,
    start,
    typed,
    wasm,
)
from tests.harness.ports import free_port
from tests.harness.processes import Programs
from tests.harness.repo import ROOT
from tests.harness.waiting import wait_until
from xds.model.bucket import bucket

pytestmark = pytest.mark.envoy

HEALTH = (ROOT / "filters/health.wasm").read_bytes()
TRAP = bytes(wasmtime.wat2wasm((ROOT / "tests/modules/trap.wat").read_text()))
STATS = f"extension_config_discovery.http_filter.{SLOT}"
ANSWER: Json = {"match": {"prefix": "/"}, "direct_response": {"status": 200}}


@dataclass
class Mesh:
    """One Envoy with a split of 50 to 50 whose filter comes by ECDS, from a file that a test writes."""

    programs: Programs
    binary: Path
    folder: Path
    port: int = field(default_factory=free_port)
    admin: int = field(default_factory=free_port)

    def publish(self, extension: Json, version: str) -> None:
        """Moves a discovery response into place, which is what Envoy watches for."""
        resource = typed("envoy.config.core.v3.TypedExtensionConfig", {"name": SLOT, "typed_config": extension})
        written = self.folder / "ecds.new"
        written.write_text(json.dumps({"version_info": version, "resources": [resource]}), encoding="utf-8")
        written.rename(self.folder / "ecds.json")

    def start(self, *, silent: bool = False) -> None:
        """Starts Envoy; `silent` has it ask a control plane that does not answer instead of the file."""
        backend, nobody = free_port(), free_port()
        path = {"path": str(self.folder / "ecds.json"), "watched_directory": {"path": str(self.folder)}}
        slot = discovered({"ads": {}} if silent else {"path_config_source": path})
        listeners = [
            listener(self.port, [slot], [self.split_route()], at_the_edge=True),
            listener(backend, [], [ANSWER]),
        ]
        clusters = [cluster("self", backend), cluster("nobody", nobody, http2=True)]
        service = {"envoy_grpc": {"cluster_name": "nobody"}}
        ads = {"api_type": "DELTA_GRPC", "transport_api_version": "V3", "grpc_services": [service]}
        bootstrap: Json = {
            "node": {"id": "n", "cluster": "c"},
            "static_resources": {"listeners": listeners, "clusters": clusters},
        }
        if silent:
            bootstrap["dynamic_resources"] = {"ads_config": ads}
        start(self.programs, self.binary, self.folder, bootstrap, self.admin)

    @staticmethod
    def split_route() -> Json:
        clusters = [
            {
                "name": "self",
                "weight": 5000,
                "response_headers_to_add": [{"header": {"key": "x-subset", "value": name}}],
            }
            for name in ("v1", "v2")
        ]
        return {
            "match": {"prefix": "/"},
            "metadata": {"filter_metadata": {"fairlead": {"salt": "s", "key": {"header": "x-user"}}}},
            "route": {"weighted_clusters": {"clusters": clusters, "header_name": HEADER}},
        }

    def ask(self, user: str, *more: tuple[str, bytes]) -> str:
        status, headers = get(self.port, "/", [("x-user", user.encode()), *more])
        assert status == 200
        return headers["x-subset"]

    def is_sticky(self) -> bool:
        """Whether 60 users are all where their bucket belongs; by chance that happens once in 2**60."""
        users = [f"user-{number}" for number in range(60)]
        return all(self.ask(user) == ("v1" if bucket("s", user.encode()) < 5000 else "v2") for user in users)

    def is_random(self) -> bool:
        """Whether one user, with a forged bucket, sees both subsets in 60 requests."""
        return len({self.ask("user-1", (HEADER, b"1")) for _ in range(60)}) == 2

    def count(self, name: str) -> int:
        return counter(self.admin, name)


@pytest.fixture
def mesh(programs: Programs, envoy_binary: Path, tmp_path: Path) -> Mesh:
    folder = tmp_path / "mesh"
    folder.mkdir()
    return Mesh(programs, envoy_binary, folder)


def test_a_filter_that_came_by_ecds_holds_the_split_against_forged_buckets(mesh: Mesh) -> None:
    mesh.publish(wasm(HEALTH), "1")
    mesh.start()
    assert mesh.is_sticky()
    assert len({mesh.ask("user-1", (HEADER, str(forged).encode())) for forged in range(0, 10_000, 500)}) == 1


@pytest.mark.parametrize(
    "refused", [wasm(HEALTH, '{"oops":1}'), wasm(b"garbage")], ids=["its configuration", "its module"]
)
def test_a_refused_filter_leaves_the_one_that_ran(mesh: Mesh, refused: Json) -> None:
    mesh.publish(wasm(HEALTH), "1")
    mesh.start()
    mesh.publish(refused, "2")
    wait_until(lambda: mesh.count(f"{STATS}.update_rejected"), what="Envoy refuses the update")
    assert mesh.is_sticky()


def test_a_filter_refused_from_the_start_leaves_a_random_split(mesh: Mesh) -> None:
    mesh.publish(wasm(HEALTH, '{"oops":1}'), "1")
    mesh.start()
    assert mesh.count(f"{STATS}.update_rejected") == 1
    assert mesh.is_random()


def test_a_filter_that_never_comes_leaves_a_random_split_after_its_time(mesh: Mesh) -> None:
    mesh.start(silent=True)
    wait_until(mesh.is_random, 15, what="requests are answered")
    assert mesh.count(f"{STATS}.update_success") == 0


def test_a_trap_costs_its_own_request_and_few_others(mesh: Mesh) -> None:
    mesh.publish(wasm(TRAP), "1")
    mesh.start()
    assert mesh.is_random()
    answers: Counter[int] = Counter()
    for _ in range(3):
        assert get(mesh.port, "/", [("x-trap", b"1")])[0] == 503
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            answers[get(mesh.port)[0]] += 1
    assert set(answers) <= {200, 503}
    assert answers[503] < answers[200] / 10
    assert mesh.count(f"wasm.{SLOT}.vm_reload_success") == 3
    assert mesh.is_random()


def test_a_whole_filter_replaces_a_trapping_one_without_a_restart(mesh: Mesh) -> None:
    mesh.publish(wasm(TRAP), "1")
    mesh.start()
    assert get(mesh.port, "/", [("x-trap", b"1")])[0] == 503
    mesh.publish(wasm(HEALTH), "2")
    wait_until(mesh.is_sticky, what="the whole filter works")
    assert get(mesh.port, "/", [("x-trap", b"1")])[0] == 200
