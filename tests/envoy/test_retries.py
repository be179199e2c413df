"""A failing canary keeps no request: retries leave its cluster, and what goes away goes away without a loss."""

from __future__ import annotations

import time

import pytest

from tests.harness.load import Load, ask, request, turns, users
from tests.harness.mesh import USER, Town, owners, versions
from tests.harness.ports import free_port
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.envoy


@pytest.mark.parametrize("side", ["gateway", "sidecar"])
def test_users_of_a_dead_canary_are_answered_by_stable(town: Town, side: str) -> None:
    """The bucket names the dead cluster at every attempt; Envoy takes another entry of the split for a retry."""
    mesh, service = town.mesh, f"dead-{side}"
    mesh.two_versions(service, {"v1": town.apps["v1"], "v2": free_port()})
    mesh.service(service, split=[{"subset": "v1", "weight": 50}, {"subset": "v2", "weight": 50}])
    mesh.plane.acked(service, nodes=2)
    at, host = (town.gateway, f"{service}.test") if side == "gateway" else (town.sidecar, service)
    mesh.reachable(at.port, host)
    people, requests = users(300, lambda name: request(host, (USER, name)))
    assert {"v1", "v2"} == set(owners(mesh.split(service), people))
    assert set(versions(ask(at.port, requests))) == {"v1"}


def test_retries_leave_a_dead_version_that_owns_several_segments(town: Town) -> None:
    """Envoy leaves the entry that failed, not the cluster: a version with three segments takes three retries to leave.

    With two, a fifth of all requests fail here (measured; the same as a walk by bucket over the entries not yet tried).
    """
    mesh, service = town.mesh, "scattered"
    mesh.service(service, hosts=[f"{service}.test"])
    mesh.register(service, "v1", town.apps["v1"])
    mesh.register(service, "v2", free_port())
    mesh.register(service, "v3", town.apps["v3"])
    for weights in ((80, 10, 10), (70, 10, 20), (35, 55, 10), (25, 60, 15), (10, 70, 20)):
        split = [{"subset": f"v{number}", "weight": weight} for number, weight in enumerate(weights, 1)]
        mesh.service(service, split=split)
    assert [segment.subset for segment in mesh.split(service).segments].count("v2") == 3
    mesh.plane.acked(service, nodes=2)
    mesh.reachable(town.gateway.port, f"{service}.test")
    _, requests = users(500, lambda name: request(f"{service}.test", (USER, name)))
    assert set(versions(ask(town.gateway.port, requests))) == {"v1", "v3"}


def test_the_last_instance_of_a_weighted_version_leaves_without_a_lost_request(town: Town) -> None:
    """It stays in EDS until the route that falls back is acknowledged; then its users are on stable."""
    mesh, service = town.mesh, "leaving"
    apps, program = mesh.apps("v2")
    mesh.two_versions(service, {**town.apps, **apps})
    mesh.service(service, split=[{"subset": "v1", "weight": 50}, {"subset": "v2", "weight": 50}])
    mesh.plane.acked(service, nodes=2)
    mesh.reachable(town.gateway.port, f"{service}.test")
    _, requests = users(100, lambda name: request(f"{service}.test", (USER, name)))
    with Load(town.gateway.port, requests, pause=0.003) as load:
        load.wait_rounds()
        mesh.plane.delete(f"instances/default-{service}-v2")
        wait_until(lambda: not _members(town, service, "v2"), 15, what="it is let go")
        gone = time.monotonic()
        program.stop()
        load.wait_rounds()
    assert load.failures == []
    assert {version for met in load.by_user(gone).values() for version in met} == {"v1"}
    found = mesh.plane.get(f"services/{service}:explain")
    assert found["wanted"] == {"v1": 50, "v2": 50}
    assert found["effective"] == {"v1": 100}
    assert any("v2" in problem["message"] for problem in found["problems"]), "and it is reported"


def test_an_instance_that_leaves_beside_others_costs_nothing_even_if_it_dies_at_once(town: Town) -> None:
    mesh, service = town.mesh, "crowd"
    apps, program = mesh.apps("v1")
    mesh.two_versions(service, town.apps)
    mesh.register(service, "v1", apps["v1"], id="crowd-extra")
    mesh.plane.acked(service, nodes=2)
    mesh.reachable(town.gateway.port, f"{service}.test", "v1")
    _, requests = users(100, lambda name: request(f"{service}.test", (USER, name)))
    with Load(town.gateway.port, requests, pause=0.003) as load:
        load.wait_rounds()
        mesh.plane.delete("instances/crowd-extra")
        program.stop()
        load.wait_rounds(2)
    assert load.failures == []
    assert {tuple(turns(met)) for met in load.by_user().values()} == {("v1",)}


def test_a_service_without_any_instance_answers_503_and_recovers_with_the_first(town: Town) -> None:
    """Nobody to fall back to: a clear error, and the weights hold again the moment somebody is there."""
    mesh, service = town.mesh, "empty"
    mesh.service(service, hosts=[f"{service}.test"])
    mesh.register(service, "v1", town.apps["v1"])
    mesh.reachable(town.gateway.port, f"{service}.test", "v1")
    mesh.plane.delete(f"instances/default-{service}-v1")
    ask_one = [request(f"{service}.test")]
    wait_until(lambda: ask(town.gateway.port, ask_one)[0].status == 503, what="nobody serves")
    mesh.register(service, "v1", town.apps["v1"])
    mesh.reachable(town.gateway.port, f"{service}.test", "v1")


def _members(town: Town, service: str, version: str) -> list[object]:
    found = town.mesh.plane.get(f"services/{service}:explain")
    return [member for member in found["instances"] if member["version"] == version]
