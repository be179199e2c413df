"""Groups on real Envoy: a sidecar holds what it may call and nothing else, a gateway what its routes lead to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.load import Load, ask, request, users
from tests.harness.mesh import USER, Town, mesh
from tests.harness.plane import Json
from tests.harness.proxy import Proxy
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.envoy


def services(proxy: Proxy) -> set[str]:
    """Whose clusters an Envoy holds; its own application is one too."""
    return {name.split("/")[0] for name in proxy.clusters()}


def holds(proxy: Proxy, *names: str) -> None:
    """Wait until an Envoy holds the clusters of these services and of no others."""

    def there() -> bool:
        assert services(proxy) == set(names), services(proxy)
        return True

    wait_until(there, 20, what=f"{proxy.id} holds {', '.join(names)}")


def statuses(proxy: Proxy, *hosts: str) -> dict[str, int]:
    return {host: ask(proxy.port, [request(host)])[0].status for host in hosts}


def test_a_sidecar_that_names_its_upstreams_has_these_and_no_route_to_others(town: Town) -> None:
    mesh, env = town.mesh, "named"
    for service in ("a", "b"):
        mesh.service(service, env=env)
        mesh.register(service, "v1", town.apps["v1"], env=env)
    mesh.service("both", env=env)
    mesh.plane.put(f"routes/a.shop?env={env}", {"service": "a", "hosts": ["shop.test"]})
    mesh.plane.put(f"routes/b.shop?env={env}", {"service": "b", "hosts": ["shop.test"], "path": "/b"})
    sidecar = mesh.sidecar("named-caller", env=env, upstreams="a,later", by_hand=True)
    mesh.ready(sidecar)
    holds(sidecar, "a")
    assert statuses(sidecar, "a", "b", "shop.test") == {"a": 200, "b": 404, "shop.test": 200}
    (withheld,) = ask(sidecar.port, [request("shop.test", path="/b/1")])
    assert withheld.status == 404, "it must not fall to the rule of a"
    group = mesh.plane.node("named-caller")["group"]
    assert (group["upstreams"], group["missing"]) == (["a", "later"], ["later"])
    assert group["because"] == "its metadata says upstreams a,later"
    mesh.register("later", "v1", town.apps["v2"], env=env)
    mesh.reachable(sidecar.port, "later", "v2")


def test_a_label_that_changes_moves_the_sidecar_while_its_stream_goes_on(town: Town) -> None:
    mesh, env = town.mesh, "moving"
    for service in ("a", "b"):
        mesh.service(service, env=env)
        mesh.register(service, "v1", town.apps["v1"], env=env)
    web = {"id": "moving-web", "labels": {"fairlead.upstreams": "a"}}
    mesh.register("web", "v1", town.apps["v2"], env=env, **web)
    sidecar = mesh.sidecar("moving-sidecar", env=env, service="web", version="v1", app=town.apps["v2"])
    mesh.ready(sidecar)
    holds(sidecar, "a", "ingress")
    assert statuses(sidecar, "a", "b") == {"a": 200, "b": 404}
    assert _group(town)["because"] == "label fairlead.upstreams of the instances of web says upstreams a"
    _, requests = users(50, lambda name: request("a", (USER, name)))
    with Load(sidecar.port, requests, pause=0.003) as load:
        mesh.register("web", "v1", town.apps["v2"], env=env, **{**web, "labels": {"fairlead.upstreams": "a,b"}})
        mesh.reachable(sidecar.port, "b", "v1")
        holds(sidecar, "a", "b", "ingress")
        mesh.register("web", "v1", town.apps["v2"], env=env, **{**web, "labels": {"fairlead.upstreams": "a"}})
        holds(sidecar, "a", "ingress")
        load.wait_rounds()
    assert load.failures == []
    assert statuses(sidecar, "a", "b") == {"a": 200, "b": 404}
    program = mesh.plane.program
    assert program is not None
    opened = [line for line in program.output().splitlines() if "stream opened" in line and sidecar.id in line]
    assert len(opened) == 1, opened
    mesh.register("web", "v1", town.apps["v2"], env=env, id="moving-web", labels={})
    holds(sidecar, "a", "b", "web", "ingress")
    assert _group(town)["upstreams"] is None


def test_a_restricted_sidecar_counts_at_the_gate_of_what_it_calls_and_of_nothing_else(town: Town) -> None:
    mesh, env = town.mesh, "gated"
    for service in ("a", "b"):
        mesh.service(service, env=env)
        for version in ("v1", "v2"):
            mesh.register(service, version, town.apps[version], env=env)
    mesh.ready(mesh.sidecar("gated-caller", env=env, upstreams="a"))
    for service, state in (("a", "done"), ("b", "blocked")):
        plan = [{"weight": 100, "pause": None}]
        rollout = mesh.plane.post("rollouts", {"service": service, "env": env, "version": "v2", "plan": plan})
        gate = mesh.plane.rollout(rollout["id"], state)["gate"]
        assert [node["node"] for node in gate["nodes"]] == (["gated-caller"] if service == "a" else [])


def test_a_gateway_holds_what_its_routes_lead_to(tmp_path: Path, envoy_binary: Path) -> None:
    with mesh(envoy_binary, tmp_path / "edge") as made:
        apps, _ = made.apps("v1", "v2")
        for service in ("a", "b"):
            made.service(service)
            made.register(service, "v1", apps["v1"])
        made.plane.put("routes/a.all", {"service": "a", "hosts": ["a.test"]})
        gateway = made.gateway("edge")
        made.ready(gateway)
        holds(gateway, "a")
        assert made.plane.node(gateway.id)["group"]["upstreams"] == ["a"]
        made.plane.put("routes/b.all", {"service": "b", "hosts": ["b.test"]})
        made.reachable(gateway.port, "b.test", "v1")
        holds(gateway, "a", "b")
        assert made.plane.node(gateway.id)["group"]["because"] == "the routes of gateway edge"


def _group(town: Town) -> Json:
    found: Json = town.mesh.plane.node("moving-sidecar")["group"]
    return found
