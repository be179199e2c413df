"""gRPC without a proxy: real channels to real servers, led by a real control plane."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.feature.grpc.conftest import Call
from tests.harness.plane import Plane
from tests.harness.waiting import wait_until

Serve = Callable[..., dict[str, int]]


def declare(plane: Plane, ports: dict[str, int], **more: object) -> None:
    """A service `web`; the first of its versions is the stable one."""
    plane.put("services/web", {"protocol": "grpc", **more})
    for version, port in ports.items():
        plane.put(f"instances/web-{version}", instance(version, port))


def instance(version: str, port: int, **more: object) -> dict[str, object]:
    return {"service": "web", "version": version, "address": "127.0.0.1", "port": port, **more}


def accepted(plane: Plane, node: str = "caller") -> None:
    """Wait until a client has acknowledged all that it asked for, and refused none of it."""

    def there() -> bool:
        types = plane.node(node)["types"]
        assert {"lds", "rds", "cds", "eds"} <= types.keys(), types.keys()
        for held in types.values():
            assert held["nack"] is None, held["nack"]
            assert set(held["names"]) == held["acked"].keys(), held
        return True

    wait_until(there, 20, what=f"{node} has everything")


def test_a_canary_goes_from_nothing_to_everything_and_no_call_fails(plane: Plane, serve: Serve, call: Call) -> None:
    """Each step waits for the client's acknowledgement like an Envoy's. gRPC splits at random, so shares are rough."""
    declare(plane, serve("v1", "v2"))
    caller = call("xds:///web")
    assert caller.next(100) == {"v1": 100}
    rollout = plane.post("rollouts", {"service": "web", "version": "v2", "plan": [{"weight": 5, "pause": None}]})["id"]
    for weight in (5, 25, 50, 100):
        if weight != 5:
            plane.post(f"rollouts/{rollout}:set-weight", {"weight": weight})
        gate = plane.rollout(rollout)["gate"]
        assert [(node["node"], node["acked"].get("v2")) for node in gate["nodes"]] == [("caller", weight)]
        share = caller.next(400)["v2"] / 4
        assert abs(share - weight) <= 12, (weight, share)  # five standard deviations of 400 calls at 50 %
    plane.post(f"rollouts/{rollout}:promote")
    plane.phase(rollout, "succeeded")
    plane.delete("instances/web-v1")
    assert caller.next(200) == {"v2": 200}


def test_when_all_instances_are_unhealthy_calls_go_on(plane: Plane, serve: Serve, call: Call) -> None:
    """gRPC drops every endpoint that is not healthy, and would fail each call; Envoy has a panic threshold."""
    ports = serve("v1")
    plane.put("services/web", {"protocol": "grpc"})
    plane.put("instances/web-v1", instance("v1", ports["v1"], ttl="1s"))
    caller = call("xds:///web")
    assert caller.next(20) == {"v1": 20}
    wait_until(lambda: plane.get("instances/web-v1")["health"] == "unhealthy", 20, what="the lease has run out")
    accepted(plane)
    assert caller.next(200) == {"v1": 200}


def test_what_grpc_would_refuse_does_not_reach_it(plane: Plane, serve: Serve, call: Call) -> None:
    """Three versions, a policy that gRPC has not, an address twice, no locality, retries, named ports."""
    ports = serve("v1", "v2", "v3", "admin")
    split = [{"subset": v, "weight": w} for v, w in (("v1", 60), ("v2", 20), ("v3", 20))]
    declare(
        plane,
        {version: ports[version] for version in ("v1", "v2", "v3")},
        balancing="random",
        split=split,
        retry={"attempts": 2, "on": ["unavailable", "connect-failure"]},
    )
    plane.put("instances/web-twin", instance("v1", ports["v1"]))
    both = {"service": "web", "version": "v2", "address": "127.0.0.1", "region": "eu"}
    plane.put("instances/web-both", {**both, "ports": {"grpc": ports["v2"], "admin": ports["admin"]}})
    web, admin = call("xds:///web"), call("xds:///web.admin", "admin-caller")
    seen = web.next(300)
    assert seen.keys() == {"v1", "v2", "v3"}
    assert seen["v1"] > seen["v2"]
    assert admin.next(20) == {"admin": 20}
    accepted(plane)
    accepted(plane, "admin-caller")
    told = [problem["message"] for problem in plane.get("problems")["items"]]
    assert all("is claimed by" in message for message in told), "an address twice, and nothing else"


@pytest.mark.parametrize("metadata", [{}, {"fairlead": {"role": "sidecar"}}])
def test_a_client_that_calls_itself_grpc_is_one_whatever_its_metadata_says(
    plane: Plane, serve: Serve, call: Call, metadata: dict[str, object]
) -> None:
    declare(plane, serve("v1"))
    assert call("xds:///web", metadata=metadata).next(10) == {"v1": 10}
    found = plane.node("caller")
    assert (found["role"], found["group"]["id"]) == ("grpc", "grpc|default")
    assert found["group"]["because"].startswith("a gRPC client of env default")


def test_calls_go_on_while_the_control_plane_is_away_and_after_it_is_back(
    plane: Plane, serve: Serve, call: Call
) -> None:
    ports = serve("v1", "v2")
    declare(plane, ports)
    caller = call("xds:///web")
    caller.next(20)
    plane.kill()
    assert caller.next(100) == {"v1": 100}
    plane.start()
    plane.put("services/web", {"protocol": "grpc", "split": [{"subset": "v2", "weight": 100}]})
    wait_until(lambda: caller.answers()[-1] == "v2", 60, what="the new split has arrived")
    assert not caller.failures()
