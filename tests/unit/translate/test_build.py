"""The builder: what one change costs, and that the way to an intent leaves no trace."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.translate.views import EDGE, NODES, SIDECAR, Published, member, route, view
from xds.model.gateway import Gateway, GatewayListener
from xds.model.health import Health
from xds.model.instance import Address
from xds.model.names import Key, ServiceKey
from xds.model.node import NodeProfile, Role
from xds.model.problems import Severity
from xds.model.service import Protocol
from xds.model.view import ServiceView
from xds.translate import Builder, FilterSpec, OutputKey
from xds.wire.types import ResourceType

WEB, API = ServiceKey("default", "web"), ServiceKey("default", "api")
GATEWAY = Gateway(Key("default", "edge"))
HOST = ("shop.example.com",)


def test_one_endpoint_that_fails_changes_the_endpoints_of_its_subsets_and_nothing_else() -> None:
    published = Published()
    web = [member("web", 1), member("web", 2), member("web", 3, "v2")]
    published.build(view("web", *web), view("api", member("api", 9)), gateways=[GATEWAY])
    web[0] = member("web", 1, health=Health.UNHEALTHY)
    published.build(view("web", *web))
    assert published.changed() == [("eds", "web/-"), ("eds", "web/v1")]


def test_a_step_changes_the_route_configurations_that_carry_the_split_and_nothing_else() -> None:
    published = Published()
    web = [member("web", 1), member("web", 2, "v2")]
    public = [route("web", "shop", hosts=HOST)]
    published.build(view("web", *web, routes=public), view("api", member("api", 9)), gateways=[GATEWAY])
    built = published.build(view("web", *web, routes=public, split={"v1": 90, "v2": 10}))
    assert published.changed() == [("rds", "egress"), ("rds", "gateway/edge")]
    assert all(output.weights[WEB] == {"v1": 9000, "v2": 1000} for output in built.upserts)


def test_nothing_changes_when_the_same_views_come_again() -> None:
    published = Published()
    first = view("web", member("web", 1), routes=[route("web", "api", "/api")])
    published.build(first, gateways=[GATEWAY])
    built = published.build(first, gateways=[GATEWAY])
    assert (built.upserts, built.removals) == ((), ())


def test_a_service_that_cannot_be_translated_keeps_what_it_had_and_costs_nobody_else() -> None:
    published = Published()
    published.build(view("web", member("web", 1)), view("api", member("api", 9)), gateways=[GATEWAY])
    before = dict(published.standing)
    bad = view("web", member("web", 1), member("web", 2), balancing="by the moon")
    built = published.build(bad, view("api", member("api", 9), member("api", 10)))
    assert published.changed() == [("eds", "api/-"), ("eds", "api/v1")]
    assert published.standing.keys() == before.keys()
    (problem,) = built.problems
    assert (problem.kind, problem.object, problem.severity) == ("service", "default/web", Severity.ERROR)
    assert "by the moon" in problem.message
    published.build(view("web", member("web", 2)))
    assert published.endpoints("web/v1") == {"10.0.0.2": 100}
    assert not published.last.problems
    published.build(bad)
    published.build(gone=[WEB])
    assert not [key for key in published.standing if key.name.startswith("web/")]
    assert not published.last.problems


def test_a_service_that_never_could_be_translated_is_missing_alone() -> None:
    published = Published(nodes=frozenset({SIDECAR}))
    published.build(view("web", member("web", 1), balancing="by the moon"), view("api", member("api", 9)))
    assert published.endpoints("api/v1") == {"10.0.0.9": 100}
    assert [problem.object for problem in published.last.problems] == ["default/web"]


def test_a_service_that_goes_takes_everything_of_its_own_along() -> None:
    published = Published()
    published.build(view("api", member("api", 9)), gateways=[])
    before = dict(published.standing)
    published.build(view("web", member("web", 1), upstream_port=7000, routes=[route("web", "x", hosts=HOST)]))
    published.build(gone=[WEB])
    assert published.standing == before
    assert WEB not in published.last.carriers


def test_the_carriers_of_a_split_are_all_resources_that_hold_its_weights() -> None:
    published = Published()
    built = published.build(
        view("web", member("web", 1), upstream_port=7000, routes=[route("web", "x", hosts=HOST)]),
        view("db", member("db", 5), protocol=Protocol.TCP, upstream_port=7001),
        gateways=[GATEWAY],
    )
    names = {key: sorted(carrier.name for carrier in found) for key, found in built.carriers.items()}
    assert names == {
        WEB: ["egress", "gateway/edge", "upstream/web"],
        ServiceKey("default", "db"): ["upstream/db"],
    }
    [listener] = built.carriers[ServiceKey("default", "db")]
    assert listener == OutputKey(ResourceType.LISTENER, "upstream/db", SIDECAR.variant)


def test_a_route_with_a_split_of_its_own_carries_nothing_of_its_service() -> None:
    published = Published()
    built = published.build(
        view("web", member("web", 1), routes=[route("web", "x", hosts=HOST, subset="v1")]), gateways=[GATEWAY]
    )
    assert [key.name for key in built.carriers[WEB]] == ["egress"]


def test_a_node_that_comes_and_goes_leaves_no_listener() -> None:
    published = Published(nodes=frozenset())
    published.build(view("web", member("web", 1), upstream_port=7000), gateways=[GATEWAY])
    assert not any(key.type is ResourceType.LISTENER for key in published.standing)
    app = Address("127.0.0.1", 9000)
    ingress = NodeProfile(Role.SIDECAR, service="web", ingress=Address("10.0.0.1", 15006), app=app)
    before = dict(published.standing)
    published.nodes = NODES | {ingress}
    published.build()
    listeners = sorted(key.name for key in published.standing if key.type is ResourceType.LISTENER)
    assert listeners == ["egress", "gateway/edge", "ingress/web", "upstream/web"]
    assert OutputKey(ResourceType.CLUSTER, "ingress/web/application", ingress.variant) in published.standing
    published.nodes = frozenset()
    published.build()
    assert published.standing == before


def test_an_environment_without_services_has_its_egress_and_gateways_all_the_same() -> None:
    published = Published()
    published.build(gateways=[GATEWAY])
    assert published.message(ResourceType.ROUTE, "egress") == {"name": "egress", "ignore_port_in_host_matching": True}
    assert (ResourceType.ROUTE, "gateway/edge", "default") in published.standing


def test_a_gateway_that_envoys_run_for_and_nobody_declared_is_reported_until_somebody_does() -> None:
    published = Published(nodes=frozenset({NodeProfile(Role.GATEWAY, gateway="edgy")}))
    built = published.build(gateways=[GATEWAY])
    (problem,) = built.problems
    assert (problem.kind, problem.object, problem.severity) == ("gateway", "default/edgy", Severity.WARNING)
    assert published.build(gateways=[GATEWAY, Gateway(Key("default", "edgy"))]).problems == ()


def test_only_the_only_listener_of_a_gateway_takes_a_nodes_bind() -> None:
    bound = NodeProfile(Role.GATEWAY, gateway="edge", bind=Address("127.0.0.1", 18080))
    published = Published(nodes=frozenset({bound}))
    published.build(gateways=[GATEWAY])
    found = published.message(ResourceType.LISTENER, "gateway/edge", bound.variant)
    assert found["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 18080}
    several = Gateway(GATEWAY.key, (GatewayListener("a", port=1), GatewayListener("b", port=2)))
    published.build(gateways=[several])
    names = sorted(key.name for key in published.standing if key.type is ResourceType.LISTENER)
    assert names == ["gateway/edge/a", "gateway/edge/b"]


def test_without_a_filter_no_listener_waits_for_one() -> None:
    def filters(builder: Builder) -> list[str]:
        published = Published(builder)
        published.build(gateways=[GATEWAY])
        message = published.message(ResourceType.LISTENER, "gateway/edge", EDGE.variant)
        manager = message["filter_chains"][0]["filters"][0]["typed_config"]
        return [one["name"] for one in manager["http_filters"]]

    assert filters(Builder()) == ["envoy.filters.http.router"]
    assert filters(Builder(FilterSpec(b"module"))) == ["fairlead.health", "envoy.filters.http.router"]


# -- the way leaves no trace --------------------------------------------------------------------------------------

SERVICES = ("web", "web.admin", "api", "db")


@st.composite
def views(draw: st.DrawFn) -> ServiceView:
    name = draw(st.sampled_from(SERVICES))
    members = [
        member(
            name,
            number,
            draw(st.sampled_from(["v1", "v2"])),
            health=draw(st.sampled_from(list(Health))),
            weight=draw(st.sampled_from([0, 1, 100])),
            zone=draw(st.sampled_from(["", "a", "b"])),
            ports=draw(st.sampled_from([{"http": 80}, {"http": 80, "admin": 81}, {"x": 1, "admin.y": 2}])),
        )
        for number in draw(st.lists(st.integers(1, 6), unique=True, max_size=4))
    ]
    protocol = draw(st.sampled_from([Protocol.HTTP, Protocol.TCP]))
    more: dict[str, Any] = {"protocol": protocol, "upstream_port": draw(st.sampled_from([None, 15001, 7000, 7001]))}
    more["split"] = draw(st.sampled_from([{"v1": 100}, {"v1": 90, "v2": 10}, {"v2": 100}]))
    routes = [
        route(
            name,
            f"r{at}",
            draw(st.sampled_from(["/", "/a"])),
            hosts=draw(st.sampled_from([(), HOST, ("*",), ("web", "*.b.example")])),
            priority=draw(st.sampled_from([0, 1])),
            port=draw(st.sampled_from(["", "admin"])),
            subset=draw(st.sampled_from(["", "v2"])),
        )
        for at in range(draw(st.integers(0, 2)))
    ]
    return view(name, *members, routes=routes, **more)


GATEWAYS = st.lists(
    st.builds(
        lambda name, hosts: Gateway(Key("default", name), hosts=hosts),
        st.sampled_from(["edge", "other"]),
        st.sampled_from([("*",), HOST, ("*.b.example",)]),
    ),
    max_size=2,
    unique_by=lambda gateway: gateway.key.name,
)
PROFILES = st.frozensets(
    st.sampled_from(
        [
            SIDECAR,
            EDGE,
            NodeProfile(
                Role.SIDECAR,
                service="web",
                egress=Address("::1", 7001),
                ingress=Address("::", 9),
                app=Address("::1", 8),
            ),
        ]
    )
)
CHANGES = st.one_of(views(), st.sampled_from(SERVICES), GATEWAYS, PROFILES)


@given(st.lists(CHANGES, max_size=12))
def test_the_way_to_an_intent_leaves_no_trace(
    changes: list[ServiceView | str | list[Gateway] | frozenset[NodeProfile]],
) -> None:
    """Two replicas, or one before and after a restart, publish the same bytes for the same intent."""
    by_steps = Published(nodes=frozenset())
    current: dict[ServiceKey, ServiceView] = {}
    gateways: list[Gateway] = []
    by_steps.build(gateways=[])
    for change in changes:
        match change:
            case ServiceView():
                current[change.key] = change
                by_steps.build(change)
            case str():
                key = ServiceKey("default", change)
                current.pop(key, None)
                by_steps.build(gone=[key])
            case list():
                gateways = change
                by_steps.build(gateways=change)
            case _:
                by_steps.nodes = change
                by_steps.build()
    at_once = Published(nodes=by_steps.nodes)
    at_once.build(*current.values(), gateways=gateways)
    assert by_steps.standing == at_once.standing
    assert by_steps.last.problems == at_once.last.problems
    assert by_steps.last.carriers == at_once.last.carriers


def test_after_the_warm_up_nothing_that_a_first_node_needs_has_to_be_compiled() -> None:
    """In a process of its own, for here everything is compiled already."""
    code = """
from xds.translate.warmup import warm_up
from xds.wire.encoder import ENCODERS
warm_up()
known = len(ENCODERS)
warm_up()
print(known > 20, len(ENCODERS) - known)
"""
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["True", "0"]
