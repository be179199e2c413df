"""What a user can say of requests, end to end: subsets by label, header and cookie routes, TCP, ports, environments."""

from __future__ import annotations

import math
import socket

import pytest

from tests.harness.load import ask, request, users
from tests.harness.mesh import USER, Mesh, Town, owners, versions
from tests.harness.ports import free_port
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.envoy


def test_insiders_reach_a_subset_chosen_by_label_and_nobody_else_does(town: Town) -> None:
    """M69. The canary's weight is 0; a header or a cookie leads there all the same, on both sides."""
    mesh = town.mesh
    subsets = [{"name": "inside", "selector": "tier=inside,version in (v2,v3)"}]
    mesh.service("shop", hosts=["shop.test"], subsets=subsets)
    mesh.register("shop", "v1", town.apps["v1"], labels={"tier": "outside"})
    mesh.register("shop", "v2", town.apps["v2"], labels={"tier": "inside"})
    hosts = {"service": "shop", "hosts": ["shop.test"], "subset": "inside"}
    mesh.plane.put("routes/shop.by-header", {**hosts, "headers": {"x-canary": "1"}})
    mesh.plane.put("routes/shop.by-cookie", {**hosts, "cookies": {"beta": {"present": True}}})
    insider, beta = ("x-canary", "1"), ("cookie", "a=b; beta=yes")
    for proxy in (town.gateway, town.sidecar):
        for header in (insider, beta):
            mesh.reachable(proxy.port, "shop.test", "v2", header)
        people = [f"user-{number}" for number in range(60)]
        for headers, version in (((), "v1"), ((insider,), "v2"), ((beta,), "v2"), ((("x-canary", "0"),), "v1")):
            requests = [request("shop.test", *headers, (USER, name)) for name in people]
            assert versions(ask(proxy.port, requests)) == [version] * len(people)


def test_paths_methods_and_rewrites_reach_the_application_as_declared(town: Town) -> None:
    mesh = town.mesh
    mesh.two_versions("paths", town.apps)
    rule = {"service": "paths", "hosts": ["paths.test"]}
    mesh.plane.put("routes/paths.api", {**rule, "path": {"prefix": "/api/"}, "rewrite": "/", "subset": "v2"})
    mesh.plane.put("routes/paths.exact", {**rule, "path": {"exact": "/api/ping"}, "subset": "v1"})
    mesh.plane.put("routes/paths.regex", {**rule, "path": {"regex": "/v[0-9]+/.*"}, "subset": "v2"})
    mesh.reachable(town.gateway.port, "paths.test", "v2", path="/v7/x")

    def seen(path: str) -> tuple[str, str | None]:
        (answer,) = ask(town.gateway.port, [request("paths.test", path=path)])
        return answer.version, answer.header("x-saw-path")

    assert seen("/api/users?a=1") == ("v2", "/users?a=1")
    assert seen("/api/ping") == ("v1", "/api/ping")
    assert seen("/v12/thing") == ("v2", "/v12/thing")
    assert seen("/other") == ("v1", "/other")


def test_two_environments_with_one_name_do_not_see_each_other(town: Town) -> None:
    """An environment is a wall: the same service, the same host, and each node sees its own."""
    mesh = town.mesh
    for env, version in (("blue", "v2"), ("green", "v3")):
        mesh.service("wall", env=env, hosts=["wall.test"])
        mesh.register("wall", version, town.apps[version], env=env)
    mesh.register("only-green", "v3", town.apps["v3"], env="green")
    sidecars = {env: mesh.sidecar(f"{env}-client", env=env) for env in ("blue", "green")}
    mesh.ready(*sidecars.values())
    for env, version in (("blue", "v2"), ("green", "v3")):
        mesh.reachable(sidecars[env].port, "wall.test", version)
        _, requests = users(40, lambda name: request("wall", (USER, name)))
        assert set(versions(ask(sidecars[env].port, requests))) == {version}
    assert ask(sidecars["blue"].port, [request("only-green")])[0].status == 404
    assert ask(town.sidecar.port, [request("wall")])[0].status == 404
    known = mesh.plane.node("blue-client")["types"]
    assert not [name for held in known.values() for name in held["sent"] if "only-green" in name]
    for sidecar in sidecars.values():
        sidecar.program.stop()


def test_a_tcp_service_is_split_by_connection_on_a_local_port_of_the_sidecar(town: Town) -> None:
    mesh, port = town.mesh, free_port()
    apps, _ = mesh.apps("tcp+v1", "tcp+v2")
    mesh.service("queue", env="tcp", protocol="tcp", upstream_port=port)
    for version in ("v1", "v2"):
        mesh.register("queue", version, apps[version], env="tcp")
    sidecar = mesh.sidecar("tcp-client", env="tcp")
    mesh.ready(sidecar)
    rollout = mesh.plane.post("rollouts", {"service": "queue", "env": "tcp", "version": "v2"})["id"]
    for weight in (0, 30, 100):
        mesh.plane.set_weight(rollout, weight)
        if weight == 100:  # a listener that was replaced lets its connections go on; new ones are on the new
            wait_until(lambda: _greeting(port) == "v2", what="the new weight")
        seen = [_greeting(port) for _ in range(400)]
        spread = 4.5 * math.sqrt(weight / 100 * (1 - weight / 100) / len(seen))
        assert abs(seen.count("v2") / len(seen) - weight / 100) <= spread, (weight, seen.count("v2"))
    mesh.plane.post(f"rollouts/{rollout}:promote")
    mesh.plane.phase(rollout, "succeeded")
    sidecar.program.stop()


def test_a_local_port_leads_to_its_service_whatever_the_host(town: Town) -> None:
    mesh, port = town.mesh, free_port()
    mesh.service("ported", env="ports", upstream_port=port)
    mesh.register("ported", "v1", town.apps["v1"], env="ports")
    mesh.register("ported", "v2", town.apps["v2"], env="ports")
    sidecar = mesh.sidecar("ports-client", env="ports")
    mesh.ready(sidecar)
    mesh.service("ported", env="ports", upstream_port=port, split=[{"subset": "v2", "weight": 100}])
    mesh.reachable(port, "anything.example", "v2")
    assert versions(ask(port, [request("localhost"), request("ported")])) == ["v2", "v2"]
    sidecar.program.stop()


def _greeting(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as link:
        link.settimeout(5)
        words = link.makefile("rb").readline().decode().strip()
        link.sendall(b"ping")
        assert link.recv(4) == b"ping"
    return words


def test_requests_pass_both_sidecars_and_the_gateway_that_fairlead_envoy_runs(town: Town) -> None:
    """The whole chain as a user starts it: `fairlead envoy` for a gateway, and sidecars in front of applications."""
    mesh: Mesh = town.mesh
    env = "chain"
    gateway = mesh.gateway("front", env=env, by_hand=True)
    sidecars = [
        mesh.sidecar(f"{env}-{v}", env=env, service="web", version=v, app=town.apps[v], by_hand=v == "v2")
        for v in ("v1", "v2")
    ]
    mesh.service("web", env=env, hosts=["*"])
    for sidecar, version in zip(sidecars, ("v1", "v2"), strict=True):
        at = f"127.0.0.1:{sidecar.ports['ingress']}"
        mesh.register("web", version, town.apps[version], env=env, ingress=at)
    mesh.ready(gateway, *sidecars)
    mesh.reachable(gateway.port, "whatever.example")
    rollout = mesh.plane.post("rollouts", {"service": "web", "env": env, "version": "v2"})["id"]
    found = mesh.plane.set_weight(rollout, 50)
    assert (found["gate"]["acked"], found["gate"]["live"]) == (3, 3)
    for proxy, host in ((gateway, "whatever.example"), (sidecars[0], "web"), (sidecars[1], "web")):
        people = [f"user-{number}" for number in range(300)]
        requests = [request(host, (USER, name)) for name in people]
        assert versions(ask(proxy.port, requests)) == owners(mesh.split("web", env), people)
    passed = sum(sidecar.count("http.ingress/web.downstream_rq_2xx") for sidecar in sidecars)
    assert passed >= 900, "every request went through the ingress of a sidecar"
    for proxy in (gateway, *sidecars):
        assert proxy.program.stop(20) == 0
