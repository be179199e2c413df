"""A canary on real Envoys under load: nobody flips, nothing fails, and a step is done when every live Envoy says so."""

from __future__ import annotations

import time

import pytest

from tests.harness.load import Load, ask, request, turns, users
from tests.harness.mesh import USER, Town, owners, versions
from tests.harness.plane import Json, Refused
from tests.harness.proxy import Proxy
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.envoy


def start(town: Town, service: str, env: str = "default", **more: object) -> str:
    """Begin to move the users of `service` to v2."""
    document = {"service": service, "env": env, "version": "v2", **more}
    return str(town.mesh.plane.post("rollouts", document)["id"])


def test_500_users_change_sides_only_at_a_step_and_only_forwards(town: Town) -> None:
    """M15, C6. 5, 10, 25, 50, 100, promoted: every user's story is v1 v1 ... v2 v2, and no request fails."""
    mesh, service = town.mesh, "steady"
    mesh.two_versions(service, town.apps)
    mesh.plane.acked(service, nodes=2)
    mesh.reachable(town.gateway.port, f"{service}.test")
    people, requests = users(500, lambda name: request(f"{service}.test", (USER, name)))
    with Load(town.gateway.port, requests, pause=0.006) as load:
        load.wait_rounds()
        rollout = start(town, service)
        for weight in (5, 10, 25, 50, 100):
            before = time.monotonic()
            found = mesh.plane.set_weight(rollout, weight)
            assert (found["gate"]["acked"], found["gate"]["live"]) == (2, 2)
            done = time.monotonic()
            load.wait_rounds()
            wanted = owners(mesh.split(service), people)
            after = load.by_user(done)
            assert {user: set(met) for user, met in after.items()} == {at: {w} for at, w in enumerate(wanted)}
            assert all(turns(met) in (["v1"], ["v2"], ["v1", "v2"]) for met in load.by_user(before).values())
        mesh.plane.post(f"rollouts/{rollout}:promote")
        mesh.plane.phase(rollout, "succeeded")
        load.wait_rounds()
    assert load.failures == []
    assert {tuple(turns(met)) for met in load.by_user().values()} == {("v1", "v2")}
    assert mesh.plane.get(f"services/{service}")["stable"] == "v2"


def test_an_abort_under_load_returns_every_user_and_loses_no_request(town: Town) -> None:
    mesh, service = town.mesh, "regret"
    mesh.two_versions(service, town.apps)
    mesh.plane.acked(service, nodes=2)
    mesh.reachable(town.gateway.port, f"{service}.test")
    _, requests = users(200, lambda name: request(f"{service}.test", (USER, name)))
    with Load(town.gateway.port, requests) as load:
        rollout = start(town, service)
        mesh.plane.set_weight(rollout, 40)
        load.wait_rounds()
        aborted = time.monotonic()
        mesh.plane.post(f"rollouts/{rollout}:abort")
        mesh.plane.phase(rollout, "aborted")
        done = load.settled()
        load.wait_rounds()
        mesh.plane.post(f"rollouts/{rollout}:abort")
    assert load.failures == []
    assert all(turns(met) in (["v1"], ["v2", "v1"]) for met in load.by_user(aborted).values())
    assert {version for met in load.by_user(done).values() for version in met} == {"v1"}


def test_a_plan_goes_on_by_itself_and_promotes(town: Town) -> None:
    mesh, service = town.mesh, "alone"
    mesh.two_versions(service, town.apps)
    mesh.plane.acked(service, nodes=2)
    steps = [{"weight": weight, "pause": "200ms"} for weight in (10, 50, 100)]
    rollout = start(town, service, plan=steps, auto_promote=True)
    found = mesh.plane.phase(rollout, "succeeded")
    assert (found["weight"], found["gate"]["acked"], found["gate"]["live"]) == (100, 2, 2)
    mesh.reachable(town.gateway.port, f"{service}.test", "v2")


def test_a_weight_without_any_envoy_is_blocked_not_done(town: Town) -> None:
    mesh = town.mesh
    mesh.two_versions("unheard", town.apps, env="nobody")
    rollout = start(town, "unheard", "nobody", plan=[{"weight": 10, "pause": "0s"}, {"weight": 100, "pause": "0s"}])
    found = mesh.plane.rollout(rollout, "blocked")
    assert (found["state"], found["weight"], found["gate"]["live"]) == ("blocked", 10, 0)
    assert "no live Envoy" in found["gate"]["reason"]
    sidecar = mesh.sidecar("late-listener", env="nobody")
    mesh.ready(sidecar)
    assert mesh.plane.phase(rollout, "paused")["weight"] == 100, "the plan goes on once somebody listens"
    sidecar.program.stop()


def test_p8_an_envoy_that_says_nothing_blocks_the_step_by_name_and_holds_nobody_back(town: Town) -> None:
    """P8. Ten seconds of silence block the step; the others have had the weight all along; SIGCONT lets it go on."""
    mesh, env = town.mesh, "silence"
    gateway, quick, slow = mesh.gateway("door", env=env), mesh.sidecar("quick", env=env), mesh.sidecar("slow", env=env)
    mesh.two_versions("calm", town.apps, env=env)
    mesh.ready(gateway, quick, slow)
    mesh.reachable(gateway.port, "calm.test")
    plan = [{"weight": 20, "pause": "0s"}, {"weight": 60, "pause": None}]
    people, requests = users(100, lambda name: request("calm.test", (USER, name)))
    slow.stop_working()
    try:
        with Load(gateway.port, requests) as load:
            asked = time.monotonic()
            rollout = start(town, "calm", env, plan=plan)
            others = {gateway.id, quick.id}
            wait_until(lambda: others <= _acked(mesh.plane.get(f"rollouts/{rollout}")), 5, what="the others")
            told = time.monotonic() - asked
            found = mesh.plane.rollout(rollout, "blocked", timeout=20)
            waited = time.monotonic() - asked
        assert load.failures == []
        assert (found["state"], found["weight"]) == ("blocked", 20)
        assert "slow" in found["gate"]["reason"]
        assert told < 5
        assert 9.5 < waited < 30
        seen = versions(ask(quick.port, [request("calm", (USER, name)) for name in people]))
        assert seen == owners(mesh.split("calm", env), people)
    finally:
        slow.go_on()
    found = mesh.plane.phase(rollout, "paused")
    assert (found["weight"], found["gate"]["acked"]) == (60, 3)
    seen = versions(ask(slow.port, [request("calm", (USER, name)) for name in people]))
    assert seen == owners(mesh.split("calm", env), people)
    _end(gateway, quick, slow)


def test_an_envoy_that_joins_in_the_middle_serves_the_present_weight_from_its_first_answer(town: Town) -> None:
    """Ready means configured: no 404 and no 503 from the moment at which it listens, and nobody on the wrong side."""
    mesh, env = town.mesh, "joining"
    first = mesh.sidecar("first", env=env)
    mesh.two_versions("growing", town.apps, env=env)
    mesh.ready(first)
    rollout = start(town, "growing", env)
    mesh.plane.set_weight(rollout, 30)
    late = mesh.sidecar("late", env=env)
    people, requests = users(400, lambda name: request("growing", (USER, name)))
    late.wait_ready()
    assert versions(ask(late.port, requests)) == owners(mesh.split("growing", env), people)
    found = mesh.plane.set_weight(rollout, 70)
    assert (found["gate"]["acked"], found["gate"]["live"]) == (2, 2)
    _end(first, late)


def test_p11_steps_while_instances_come_and_go_lose_no_request(town: Town) -> None:
    """P11. Weights back and forth as fast as they are acknowledged, while instances of both versions come and go."""
    mesh, service = town.mesh, "restless"
    mesh.two_versions(service, town.apps)
    mesh.plane.acked(service, nodes=2)
    mesh.reachable(town.gateway.port, f"{service}.test")
    more, _ = mesh.apps("v1", "v2")
    _, requests = users(200, lambda name: request(f"{service}.test", (USER, name)))
    rollout = start(town, service)
    with Load(town.gateway.port, requests, pause=0.004) as load:
        end = time.monotonic() + 6
        turn = 0
        while time.monotonic() < end:
            version = ("v1", "v2")[turn % 2]
            extra = mesh.register(service, version, more[version], id=f"extra-{version}")
            mesh.plane.post(f"rollouts/{rollout}:set-weight", {"weight": (0, 10, 50, 100)[turn % 4]})
            mesh.plane.delete(f"instances/{extra}")
            turn += 1
        mesh.plane.set_weight(rollout, 50)
        load.wait_rounds()
        mesh.plane.post(f"rollouts/{rollout}:abort")
        mesh.plane.phase(rollout, "aborted")
    assert load.failures == []
    assert turn > 10


def test_a_rollout_owns_the_split_while_it_lasts(town: Town) -> None:
    mesh = town.mesh
    mesh.two_versions("owned", town.apps)
    rollout = start(town, "owned")
    with pytest.raises(Refused, match="rollout_active"):
        mesh.service("owned", split=[{"subset": "v2", "weight": 100}])
    mesh.plane.post(f"rollouts/{rollout}:abort")


def _acked(rollout: Json) -> set[str]:
    return {node["node"] for node in rollout["gate"]["nodes"] if node["acked"] == node["wanted"]}


def _end(*proxies: Proxy) -> None:
    for proxy in proxies:
        proxy.program.stop()
