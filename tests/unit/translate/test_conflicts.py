"""What only one can have: a name, a port, a match. Whoever comes too late is reported and goes without."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.translate.views import SIDECAR, Published, member, route, view
from xds.model.gateway import Gateway
from xds.model.instance import Address
from xds.model.names import Key, ServiceKey
from xds.model.node import NodeProfile, Role
from xds.model.problems import Problem, Severity
from xds.model.route import MatchKind, PathKind, Retry, Route, ValueMatch
from xds.model.service import Protocol
from xds.translate import Built
from xds.wire.types import ResourceType

PORTS = {"http": 80, "admin": 81}
MESH = frozenset({SIDECAR})


def told(built: Built) -> list[tuple[str, str, str]]:
    return [(problem.kind, problem.object, problem.pointer) for problem in built.problems]


def virtual_hosts(published: Published) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = published.message(ResourceType.ROUTE, "egress").get("virtual_hosts", [])
    return found


def routes_of(published: Published, host: str) -> list[str]:
    """The names of a host's routes, in their order; one for idempotent methods and one for the others have one name."""
    found = [each["name"] for one in virtual_hosts(published) if one["name"] == host for each in one["routes"]]
    return list(dict.fromkeys(name.partition("#")[0] for name in found))


def test_a_named_port_gives_way_to_a_service_of_that_name_and_comes_back() -> None:
    published = Published(nodes=MESH)
    published.build(view("web", member("web", 1, ports=PORTS)))
    assert published.endpoints("web.admin/v1") == {"10.0.0.1": 100}
    built = published.build(view("web.admin", member("web.admin", 9)))
    assert told(built) == [("service", "default/web", "/ports/admin")]
    assert published.endpoints("web.admin/v1") == {"10.0.0.9": 100}
    assert published.build(gone=[ServiceKey("default", "web.admin")]).problems == ()
    assert published.endpoints("web.admin/v1") == {"10.0.0.1": 100}


def test_of_two_named_ports_of_one_name_the_first_service_has_it() -> None:
    published = Published(nodes=MESH)
    published.build(view("a.b", member("a.b", 1, ports={"http": 1, "c": 2})))
    built = published.build(view("a", member("a", 2, ports={"http": 1, "b.c": 2})))
    assert told(built) == [("service", "default/a.b", "/ports/c")]
    assert published.endpoints("a.b.c/v1") == {"10.0.0.2": 100}


def test_of_two_services_with_one_local_port_the_first_has_it() -> None:
    published = Published(nodes=MESH)
    published.build(view("web", member("web", 1), upstream_port=7000))
    built = published.build(view("api", member("api", 2), upstream_port=7000))
    assert told(built) == [("service", "default/web", "/upstream_port")]
    names = {key.name for key in published.standing if key.name.startswith("upstream/")}
    assert names == {"upstream/api"}


def test_a_local_port_that_is_a_sidecars_own_is_not_opened_there() -> None:
    other = NodeProfile(Role.SIDECAR, egress=Address("127.0.0.1", 7000))
    published = Published(nodes=frozenset({SIDECAR, other}))
    built = published.build(view("web", member("web", 1), upstream_port=7000))
    assert told(built) == [("service", "default/web", "/upstream_port")]
    variants = {
        key.variant for key in published.standing if key == (ResourceType.LISTENER, "upstream/web", key.variant)
    }
    assert variants == {SIDECAR.variant}


def test_c3_of_two_routes_that_match_the_same_requests_the_first_by_name_stands() -> None:
    header = (ValueMatch("X-A", MatchKind.EXACT, "1"),)
    same = (ValueMatch("x-a", MatchKind.EXACT, "1"),)
    routes = [route("web", "one", "/a", headers=header), route("web", "two", "/a", headers=same)]
    published = Published(nodes=MESH)
    built = published.build(view("web", member("web", 1), routes=routes))
    assert told(built) == [("route", "default/web.two", "/path")]
    assert routes_of(published, "web") == ["web.one", "web"]
    published.build(view("web", member("web", 1), routes=routes[1:]))
    assert routes_of(published, "web") == ["web.two", "web"]
    assert published.last.problems == ()


def test_routes_of_two_services_share_a_host() -> None:
    published = Published()
    hosts = ("shop.example.com",)
    built = published.build(
        view("web", member("web", 1), routes=[route("web", "shop", "/", hosts=hosts)]),
        view("api", member("api", 2), routes=[route("api", "shop", "/api", hosts=hosts)]),
        gateways=[Gateway(Key("default", "edge"))],
    )
    assert routes_of(published, "shop.example.com") == ["api.shop", "web.shop"]
    assert {output.name: set(output.weights) for output in built.upserts if output.name == "gateway/edge"} == {
        "gateway/edge": {ServiceKey("default", "web"), ServiceKey("default", "api")}
    }


def test_a_route_under_another_services_name_stands_before_that_services_own_answer() -> None:
    published = Published(nodes=MESH)
    taken = route("api", "moved", "/", hosts=("web",))
    published.build(view("web", member("web", 1)), view("api", member("api", 2), routes=[taken]))
    assert routes_of(published, "web") == ["api.moved", "web"]


def test_any_host_is_for_gateways_and_names_nothing_inside_the_mesh() -> None:
    published = Published()
    published.build(
        view("web", member("web", 1), routes=[route("web", "all", hosts=("*",))]),
        gateways=[Gateway(Key("default", "edge")), Gateway(Key("default", "narrow"), hosts=("a.example",))],
    )
    assert routes_of(published, "*") == []
    assert [host["domains"] for host in published.message(ResourceType.ROUTE, "gateway/edge")["virtual_hosts"]] == [
        ["*"]
    ]
    assert "virtual_hosts" not in published.message(ResourceType.ROUTE, "gateway/narrow")


@pytest.mark.parametrize(
    ("bad", "pointer"),
    [
        (route("web", "x", "/([", PathKind.REGEX), "/path"),
        (route("web", "x", headers=(ValueMatch("a", MatchKind.REGEX, "("),)), "/headers/0"),
        (route("web", "x", cookies=(ValueMatch("a", MatchKind.REGEX, "("),)), "/cookies/0"),
        (route("web", "x", port="nobody"), "/port"),
    ],
    ids=["path", "header", "cookie", "port"],
)
def test_c3_a_route_that_envoy_would_refuse_costs_only_itself(bad: Route, pointer: str) -> None:
    published = Published(nodes=MESH)
    built = published.build(view("web", member("web", 1), routes=[bad, route("web", "y", "/y")]))
    assert told(built) == [("route", "default/web.x", pointer)]
    assert routes_of(published, "web") == ["web.y", "web"]


def test_a_route_to_a_tcp_service_is_left_out() -> None:
    published = Published(nodes=MESH)
    db = view("db", member("db", 1), protocol=Protocol.TCP, upstream_port=7000, routes=[route("db", "x")])
    assert told(published.build(db)) == [("route", "default/db.x", "/service")]
    assert routes_of(published, "db") == []


def test_a_tcp_service_without_a_port_is_a_warning() -> None:
    built = Published(nodes=MESH).build(view("db", member("db", 1), protocol=Protocol.TCP))
    assert [(problem.pointer, problem.severity) for problem in built.problems] == [("/upstream_port", Severity.WARNING)]


def test_an_environment_is_a_wall() -> None:
    published = Published(nodes=frozenset())
    staged = view("web.admin", member("web.admin", 1, env="stage"), env="stage")
    built = published.build(view("web", member("web", 1, ports=PORTS)), staged)
    assert built.problems == tuple[Problem, ...]()
    variants = {key.variant for key in published.standing if key.name == "web.admin/v1"}
    assert variants == {"default", "stage"}


def test_a_named_port_that_speaks_tcp_is_reported_since_nobody_can_reach_it() -> None:
    published = Published(nodes=MESH)
    built = published.build(view("web", member("web", 1, ports=PORTS), protocols={"admin": Protocol.TCP}))
    assert told(built) == [("service", "default/web", "/protocols/admin")]
    assert routes_of(published, "web.admin") == []


def test_retry_conditions_that_envoy_does_not_know_are_left_out_and_reported() -> None:
    """Envoy ignores them, with a warning in its log at every update."""
    published = Published(nodes=MESH)
    built = published.build(
        view("web", member("web", 1), retry=Retry(2, ("5xx", "sometimes"))),
        view("api", member("api", 2), retry=Retry(2, ("never",))),
    )
    assert told(built) == [("service", "default/api", "/retry/on/0"), ("service", "default/web", "/retry/on/1")]
    found = {host["name"]: host["routes"][0]["route"] for host in virtual_hosts(published)}
    assert found["web"]["retry_policy"]["retry_on"] == "5xx"
    assert "retry_policy" not in found["api"]


def test_a_time_too_short_for_envoy_is_a_millisecond_and_never_no_limit() -> None:
    published = Published(nodes=MESH)
    published.build(view("web", member("web", 1), timeout=1e-9, connect_timeout=1e-9, retry=Retry(per_try=1e-9)))
    assert published.message(ResourceType.CLUSTER, "web/v1")["connect_timeout"] == "0.001s"
    action = virtual_hosts(published)[0]["routes"][0]["route"]
    assert (action["timeout"], action["retry_policy"]["per_try_timeout"]) == ("0.001s", "0.001s")
