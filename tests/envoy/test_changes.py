"""Changes beside a rollout, under load: policies, versions that go and come back, services that are declared late."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.harness.load import Load, ask, request, users
from tests.harness.mesh import USER, Town, mesh, owners
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.envoy


def test_p5_changing_a_cluster_under_load_answers_everybody_all_the_while(town: Town) -> None:
    """P5. A changed cluster warms beside the old one; its endpoints, which did not change, are sent again."""
    mesh, service = town.mesh, "tuned"
    mesh.two_versions(service, town.apps)
    split = [{"subset": "v1", "weight": 60}, {"subset": "v2", "weight": 40}]
    mesh.service(service, split=split)
    mesh.plane.acked(service, nodes=2)
    mesh.reachable(town.gateway.port, f"{service}.test")
    people, requests = users(100, lambda name: request(f"{service}.test", (USER, name)))
    with Load(town.gateway.port, requests, pause=0.003) as load:
        for more in ({"connect_timeout": "1s"}, {"balancing": "least-request"}, {"connect_timeout": "3s"}, {}):
            before = town.gateway.count("cluster_manager.cluster_modified")
            mesh.service(service, **more)
            _wait_count(town, "cluster_manager.cluster_modified", before + 3)
            load.wait_rounds()
    assert load.failures == []
    assert town.gateway.count("cluster_manager.warming_clusters") == 0
    wanted = owners(mesh.split(service), people)
    assert {user: set(met) for user, met in load.by_user().items()} == {at: {w} for at, w in enumerate(wanted)}


def test_p5_a_version_that_goes_and_comes_back_finds_its_users_again(town: Town) -> None:
    """P5. Its cluster is removed and added: users fall back to stable in between, and no request is lost."""
    mesh, service = town.mesh, "returning"
    mesh.two_versions(service, town.apps)
    mesh.service(service, split=[{"subset": "v1", "weight": 50}, {"subset": "v2", "weight": 50}])
    mesh.plane.acked(service, nodes=2)
    mesh.reachable(town.gateway.port, f"{service}.test")
    people, requests = users(100, lambda name: request(f"{service}.test", (USER, name)))
    wanted = owners(mesh.split(service), people)
    with Load(town.gateway.port, requests, pause=0.003) as load:
        for _ in range(3):
            mesh.plane.delete(f"instances/default-{service}-v2")
            wait_until(lambda: _effective(town, service) == {"v1"}, what="it has gone")
            mesh.register(service, "v2", town.apps["v2"])
            wait_until(lambda: _effective(town, service) == {"v1", "v2"}, what="it is back")
        mesh.plane.acked(service, nodes=2)
        back = time.monotonic()
        load.wait_rounds()
    assert load.failures == []
    assert {user: set(met) for user, met in load.by_user(back).items()} == {at: {w} for at, w in enumerate(wanted)}


def test_routes_that_change_under_load_lose_no_request(town: Town) -> None:
    """Hosts, routes and other services come and go in the same route configuration."""
    mesh, service = town.mesh, "bystander"
    mesh.two_versions(service, town.apps)
    mesh.reachable(town.gateway.port, f"{service}.test")
    _, requests = users(50, lambda name: request(f"{service}.test", (USER, name)))
    with Load(town.gateway.port, requests, pause=0.003) as load:
        for number in range(12):
            name = f"guest-{number}"
            mesh.service(name, hosts=[f"{name}.test"])
            mesh.register(name, "v1", town.apps["v1"])
            rule = {"service": service, "hosts": [f"{service}.test"], "path": f"/{number}", "subset": "v2"}
            mesh.plane.put(f"routes/{service}.extra", rule)
            if number % 3 == 2:
                mesh.reachable(town.gateway.port, f"{name}.test", "v1")
            mesh.plane.delete(f"instances/default-{name}-v1")
            mesh.plane.delete(f"routes/{name}.all")
            mesh.plane.delete(f"services/{name}")
        mesh.plane.delete(f"routes/{service}.extra")
        load.wait_rounds()
    assert load.failures == []
    wait_until(lambda: ask(town.gateway.port, [request("guest-11.test")])[0].status == 404, what="the last guest left")


def test_with_a_token_only_those_who_hold_it_are_served(envoy_binary: Path, tmp_path: Path) -> None:
    """API and ADS demand it; an Envoy without it keeps asking and gets nothing; one with it works as ever."""
    secret = tmp_path / "token"
    secret.write_text("sesame-open\n")
    with mesh(envoy_binary, tmp_path / "mesh", "--token-file", str(secret), token="sesame-open") as made:
        apps, _ = made.apps("v1", "v2")
        stranger, friend = made.sidecar("stranger", token=""), made.sidecar("friend")
        made.two_versions("web", apps)
        made.ready(friend)
        made.reachable(friend.port, "web", "v1")
        wait_until(lambda: "this control plane asks for a token" in stranger.program.output(), what="it is told why")
        assert not stranger.is_ready
        assert [node["id"] for node in made.plane.get("nodes")["items"]] == ["friend"]


def _wait_count(town: Town, name: str, least: int) -> None:
    wait_until(lambda: town.gateway.count(name) >= least, what=f"{name} is at least {least}")


def _effective(town: Town, service: str) -> set[str]:
    return set(town.mesh.plane.get(f"services/{service}:explain")["effective"])
