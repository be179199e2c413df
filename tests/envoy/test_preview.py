"""A version that nobody has but those who ask for it: previews on real Envoys, gateway and sidecar (C5, C6)."""

from __future__ import annotations

import pytest

from tests.harness.load import Load, ask, request, users
from tests.harness.mesh import USER, Town, versions
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.envoy

WAITS = {"weight": 0, "pause": None}
INSIDER = ("x-canary", "insider")
COOKIE = ("cookie", "a=1; canary=always; b=2")
REQUESTS = 300


def test_insiders_reach_a_version_of_no_weight_under_every_host_and_nobody_does_once_it_is_taken_back(
    town: Town,
) -> None:
    mesh, service = town.mesh, "glimpse"
    mesh.two_versions(service, town.apps)
    mesh.plane.acked(service, nodes=2)
    mesh.reachable(town.gateway.port, f"{service}.test")
    preview = {"headers": {"x-canary": "insider"}, "cookies": {"canary": "always"}}
    document = {"service": service, "version": "v2", "plan": [WAITS], "preview": preview}
    _, everybody = users(100, lambda name: request(f"{service}.test", (USER, name)))
    with Load(town.gateway.port, everybody) as load:
        load.wait_rounds()
        rollout = str(mesh.plane.post("rollouts", document)["id"])
        held = mesh.plane.phase(rollout, "paused")
        assert (held["weight"], held["gate"]["acked"], held["gate"]["live"]) == (0, 2, 2)
        for port, host in ((town.gateway.port, f"{service}.test"), (town.sidecar.ports["egress"], service)):
            asked = [request(host, (USER, "somebody"), each) for each in (INSIDER, COOKIE, ("x-canary", "other"))]
            assert versions(ask(port, asked)) == ["v2", "v2", "v1"], host
        load.wait_rounds()
        mesh.plane.post(f"rollouts/{rollout}:abort")
        mesh.plane.phase(rollout, "aborted")
        insider = [request(f"{service}.test", (USER, "somebody"), INSIDER)] * 5
        assert set(versions(ask(town.gateway.port, insider))) == {"v1"}, "aborted: no Envoy sends them there"
        load.wait_rounds()
    assert load.failures == []
    assert {tuple(sorted(set(met))) for met in load.by_user().values()} == {("v1",)}


def test_insiders_are_served_by_stable_while_the_version_has_no_instance(town: Town) -> None:
    mesh, service = town.mesh, "fallback"
    mesh.two_versions(service, town.apps)
    mesh.reachable(town.gateway.port, f"{service}.test")
    preview = {"headers": {"x-canary": {"present": True}}}
    document = {"service": service, "version": "v2", "plan": [WAITS], "preview": preview}
    rollout = str(mesh.plane.post("rollouts", document)["id"])
    mesh.plane.phase(rollout, "paused")
    mesh.reachable(town.gateway.port, f"{service}.test", "v2", INSIDER)
    mesh.plane.delete(f"instances/default-{service}-v2")
    mesh.reachable(town.gateway.port, f"{service}.test", "v1", INSIDER)
    told = [each["message"] for each in mesh.plane.get(f"services/{service}:explain")["problems"]]
    assert "no instance of 'v2' can serve: what its preview matches follows the split" in told
    mesh.plane.post(f"rollouts/{rollout}:abort")


def test_copies_reach_the_version_and_end_with_the_rollout(town: Town) -> None:
    mesh, service = town.mesh, "echoes"
    mesh.two_versions(service, town.apps)
    mesh.reachable(town.gateway.port, f"{service}.test")
    document = {"service": service, "version": "v2", "plan": [WAITS], "preview": {"mirror": 50}}
    rollout = str(mesh.plane.post("rollouts", document)["id"])
    mesh.plane.phase(rollout, "paused")
    counter = f"cluster.{service}/v2.upstream_rq_total"

    def copied() -> int:
        return town.gateway.counts(rf"^cluster\.{service}/v2\.upstream_rq_total$").get(counter, 0)

    _, requests = users(REQUESTS, lambda name: request(f"{service}.test", (USER, name)))
    assert set(versions(ask(town.gateway.port, requests))) == {"v1"}
    wait_until(lambda: 0.3 * REQUESTS < copied() < 0.7 * REQUESTS, 30, what="half of the requests are copied")
    mesh.plane.post(f"rollouts/{rollout}:abort")
    mesh.plane.phase(rollout, "aborted")
    before = copied()
    assert set(versions(ask(town.gateway.port, requests))) == {"v1"}
    assert copied() == before
