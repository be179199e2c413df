"""kill -9 of the control plane under load: Envoys go on, and what comes back tells them nothing that they know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.load import Load, ask, request, turns, users
from tests.harness.mesh import USER, Town, mesh, owners, versions
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.envoy


@pytest.fixture
def village(tmp_path: Path, envoy_binary: Path) -> Iterator[Town]:
    """A mesh whose control plane may die."""
    with mesh(envoy_binary, tmp_path / "village") as made:
        apps, _ = made.apps("v1", "v2")
        gateway, sidecar = made.gateway("edge"), made.sidecar("client")
        made.two_versions("web", apps)
        made.ready(gateway, sidecar)
        made.plane.acked("web", nodes=2)
        made.reachable(gateway.port, "web.test")
        yield Town(made, gateway, sidecar, apps)


def test_kill_9_under_load_costs_nothing_and_the_rollout_goes_on_where_it_was(village: Town) -> None:
    """S1. Nothing fails before, during and after; nothing is sent again; a weight set afterwards arrives."""
    mesh, plane = village.mesh, village.mesh.plane
    people, requests = users(200, lambda name: request("web.test", (USER, name)))
    plan = [{"weight": 20, "pause": None}, {"weight": 60, "pause": "0s"}, {"weight": 80, "pause": None}]
    with Load(village.gateway.port, requests) as load:
        rollout = plane.post("rollouts", {"service": "web", "version": "v2", "plan": plan})["id"]
        plane.phase(rollout, "paused")
        load.wait_rounds()
        split, known = mesh.split("web"), {p.id: p.updates() for p in (village.gateway, village.sidecar)}
        plane.kill()
        load.wait_rounds(3)
        plane.start()
        plane.settled(village.gateway.id, village.sidecar.id)
        load.wait_rounds()
        for proxy in (village.gateway, village.sidecar):
            told = {name: value for name, value in proxy.updates().items() if known[proxy.id].get(name) != value}
            assert not told, f"{proxy.id} was told again what it had"
        assert mesh.split("web") == split
        found = plane.rollout(rollout)
        assert (found["phase"], found["weight"], found["step"], found["gate"]["acked"]) == ("paused", 20, 0, 2)
        plane.post(f"rollouts/{rollout}:resume")
        found = plane.phase(rollout, "paused")
        assert (found["weight"], found["step"]) == (80, 2)
        done = load.settled()
        load.wait_rounds()
    assert load.failures == []
    assert all(turns(met) in (["v1"], ["v2"], ["v1", "v2"]) for met in load.by_user().values())
    wanted = owners(mesh.split("web"), people)
    assert {user: set(met) for user, met in load.by_user(done).items()} == {at: {w} for at, w in enumerate(wanted)}
    assert all(p.updates() != known[p.id] for p in (village.gateway, village.sidecar)), "what is compared does change"


def test_killed_while_a_step_is_on_its_way_it_ends_where_the_last_answer_said(village: Town) -> None:
    """S1. What was answered to the caller survives; Envoys are led there from wherever the crash left them.

    The first Envoy to come back does not speak for the other: both are waited for.
    """
    mesh, plane = village.mesh, village.mesh.plane
    people, requests = users(100, lambda name: request("web.test", (USER, name)))
    with Load(village.gateway.port, requests) as load:
        rollout = plane.post("rollouts", {"service": "web", "version": "v2"})["id"]
        for weight in (30, 75, 10):
            plane.post(f"rollouts/{rollout}:set-weight", {"weight": weight})
            plane.kill()
            plane.start()
        found = plane.rollout(rollout)
        assert (found["weight"], found["gate"]["acked"], found["gate"]["live"]) == (10, 2, 2)
        done = load.settled()
        load.wait_rounds()
    assert load.failures == []
    wanted = owners(mesh.split("web"), people)
    assert {user: set(met) for user, met in load.by_user(done).items()} == {at: {w} for at, w in enumerate(wanted)}


def test_p4_a_cluster_that_changed_while_an_envoy_was_away_is_warm_at_once_on_its_return(village: Town) -> None:
    """P4, rule 28. It holds the endpoints, which did not change; a changed cluster waits until they are sent again.

    Without that Envoy keeps its answer to clusters for as long as they warm, and routes wait behind it.
    """
    mesh, plane = village.mesh, village.mesh.plane
    rollout = plane.post("rollouts", {"service": "web", "version": "v2"})["id"]
    plane.set_weight(rollout, 10)
    village.gateway.stop_working()
    try:
        plane.kill()
        plane.start()
        mesh.service("web", connect_timeout="1500ms")
        plane.post(f"rollouts/{rollout}:set-weight", {"weight": 40})
    finally:
        village.gateway.go_on()
    wait_until(lambda: village.gateway.count("cluster_manager.cluster_modified") >= 3, what="it is told")
    plane.acked("web", nodes=2)
    assert village.gateway.count("cluster_manager.warming_clusters") == 0
    people, requests = users(200, lambda name: request("web.test", (USER, name)))
    assert versions(ask(village.gateway.port, requests)) == owners(mesh.split("web"), people)
    assert plane.program is not None
    assert "no answer in time" not in plane.program.output(), "nothing waited until somebody lost patience"


def test_what_changes_while_it_is_away_is_told_on_its_return(village: Town) -> None:
    """An Envoy that starts meanwhile waits and is served first thing; a lost application is retried elsewhere."""
    mesh, plane = village.mesh, village.mesh.plane
    plane.kill()
    newcomer = mesh.sidecar("newcomer")
    wait_until(lambda: "config stream closed: 14" in newcomer.program.output(), what="it looks for its control plane")
    assert not newcomer.is_ready
    plane.start()
    newcomer.wait_ready()
    mesh.reachable(newcomer.port, "web", "v1")
    assert plane.acked("web", nodes=3)["stable"] == "v1"
