"""What gRPC's own clients are sent: only what their strict reading takes, and never no endpoint where there is one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.translate.views import SIDECAR, Published, member, view
from xds.model.balancing import Balancing
from xds.model.health import Health
from xds.model.names import DEFAULT_ENV, ServiceKey
from xds.model.node import NodeProfile, Role
from xds.model.service import Protocol
from xds.wire.types import ResourceType

CLIENT = NodeProfile(Role.GRPC)
VARIANT = CLIENT.variant


def published(*members: Any, **more: Any) -> Published:
    made = Published(nodes=frozenset({SIDECAR, CLIENT}))
    made.build(view("web", *members, **more))
    return made


def localities(made: Published, cluster: str = "web/v1") -> list[tuple[str, int, list[str]]]:
    """Zone, weight and addresses of each locality."""
    found = made.message(ResourceType.ENDPOINT, cluster, VARIANT).get("endpoints", [])
    return [
        (
            each["locality"].get("zone", ""),
            each["load_balancing_weight"],
            [one["endpoint"]["address"]["socket_address"]["address"] for one in each["lb_endpoints"]],
        )
        for each in found
    ]


def names(made: Published, type_: ResourceType) -> list[str]:
    return sorted(key.name for key in made.standing if key.type is type_ and key.variant == VARIANT)


def test_unhealthy_endpoints_are_left_out_unless_there_are_no_others() -> None:
    sick = member("web", 1, health=Health.UNHEALTHY)
    made = published(sick, member("web", 2))
    assert localities(made) == [("", 100, ["10.0.0.2"])]
    made.build(view("web", sick, member("web", 2, health=Health.UNHEALTHY)))
    assert localities(made) == [("", 200, ["10.0.0.1", "10.0.0.2"])]
    found = made.message(ResourceType.ENDPOINT, "web/v1", VARIANT)
    assert all("health_status" not in one for each in found["endpoints"] for one in each["lb_endpoints"])


def test_a_locality_weighs_what_its_endpoints_do_together_and_has_a_name_or_an_empty_one() -> None:
    made = published(
        member("web", 1, weight=30, zone="z1"), member("web", 2, weight=20, zone="z1"), member("web", 3, weight=7)
    )
    assert localities(made) == [("", 7, ["10.0.0.3"]), ("z1", 50, ["10.0.0.1", "10.0.0.2"])]


def test_an_address_is_there_once() -> None:
    """gRPC refuses the whole assignment otherwise."""
    one = member("web", 1)
    twin = one._replace(instance=replace(one.instance, id="web-twin", zone="elsewhere"))
    assert [addresses for _, _, addresses in localities(published(one, twin))] == [["10.0.0.1"]]


def test_balancing_that_grpc_does_not_know_stays_with_envoy() -> None:
    made = published(member("web", 1), balancing=Balancing.RANDOM)
    assert made.message(ResourceType.CLUSTER, "web/v1")["lb_policy"] == "RANDOM"
    cluster = made.message(ResourceType.CLUSTER, "web/v1", VARIANT)
    assert cluster.keys() == {"name", "type", "eds_cluster_config", "circuit_breakers"}
    (limits,) = cluster["circuit_breakers"]["thresholds"]
    assert limits.keys() == {"max_requests"}


def test_a_target_is_a_service_or_a_named_port_and_a_tcp_service_is_none() -> None:
    made = published(member("web", 1, ports={"grpc": 80, "admin": 81}), protocol=Protocol.GRPC)
    made.build(view("db", member("db", 2), protocol=Protocol.TCP, upstream_port=16000))
    assert names(made, ResourceType.LISTENER) == ["web", "web.admin"]
    assert names(made, ResourceType.ROUTE) == ["grpc/web", "grpc/web.admin"]


def test_its_routes_carry_the_split_so_that_the_gate_counts_it() -> None:
    members = member("web", 1), member("web", 2, "v2")
    made = published(*members)
    step = made.build(view("web", *members, split={"v1": 95, "v2": 5}))
    (routes,) = [output for output in step.upserts if output.variant == VARIANT]
    assert routes.weights == {ServiceKey(DEFAULT_ENV, "web"): {"v1": 9500, "v2": 500}}
    assert routes.key in step.carriers[ServiceKey(DEFAULT_ENV, "web")]


def test_without_a_client_there_is_nothing_of_it_and_with_the_last_one_it_goes() -> None:
    made = Published(nodes=frozenset({SIDECAR}))
    made.build(view("web", member("web", 1)))
    assert not [key for key in made.standing if key.variant == VARIANT]
    made.nodes = frozenset({SIDECAR, CLIENT})
    made.build()
    assert names(made, ResourceType.CLUSTER) == ["web/-", "web/v1"]
    made.nodes = frozenset({SIDECAR})
    made.build()
    assert not [key for key in made.standing if key.variant == VARIANT]


def test_one_endpoint_that_fails_changes_endpoints_and_nothing_else() -> None:
    made = published(member("web", 1), member("web", 2))
    made.build(view("web", member("web", 1, health=Health.UNHEALTHY), member("web", 2)))
    assert {output.type for output in made.last.upserts} == {ResourceType.ENDPOINT}


_NAMES = ("web", "web.admin", "api")


@given(st.lists(st.tuples(st.sampled_from(_NAMES), st.sampled_from(["", "admin", "gone"])), max_size=12))
def test_whatever_came_before_it_is_what_one_made_anew_would_be(steps: list[tuple[str, str]]) -> None:
    """Also where a named port and a service want the same name."""
    profiles = frozenset({CLIENT})
    lived, last = Published(nodes=profiles), dict[str, Any]()
    lived.build()
    for name, how in steps:
        if how == "gone":
            last.pop(name, None)
            lived.build(gone=[ServiceKey(DEFAULT_ENV, name)])
        else:
            last[name] = view(name, member(name, 1, ports={"http": 80, **({how: 81} if how else {})}))
            lived.build(last[name])
    fresh = Published(nodes=profiles)
    fresh.build(*last.values())
    assert lived.standing == fresh.standing
