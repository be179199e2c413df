"""Routes, services, gateways and node metadata: what Envoy would refuse is refused here, at its field."""

from __future__ import annotations

import math

import pytest

from tests.harness.declared import WEB, route, service, split
from xds.model.gateway import Gateway, GatewayListener
from xds.model.instance import Address
from xds.model.names import Key, ServiceKey
from xds.model.node import EGRESS, INGRESS, NodeProfile, Role
from xds.model.problems import InvalidInput, PeerError
from xds.model.route import IDEMPOTENT, UNSENT, MatchKind, PathKind, PathMatch, Retry, ValueMatch
from xds.model.selector import Selector
from xds.model.service import Protocol, Subset
from xds.model.split import Split


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"hosts": ("Web.example.com",)}, "/hosts/0"),
        ({"hosts": ("a", "web_.*.com")}, "/hosts/1"),
        ({"hosts": ("",)}, "/hosts/0"),
        ({"hosts": ("web:8080",)}, "/hosts/0"),
        ({"hosts": ("a" * 254,)}, "/hosts/0"),
        ({"hosts": tuple(f"h{at}" for at in range(65))}, "/hosts"),
        ({"path": PathMatch(PathKind.PREFIX, "api")}, "/path"),
        ({"path": PathMatch(PathKind.EXACT, "")}, "/path"),
        ({"path": PathMatch(PathKind.PREFIX, "/a\nb")}, "/path"),
        ({"path": PathMatch(PathKind.PREFIX, "/" + "a" * 1024)}, "/path"),
        ({"path": PathMatch(PathKind.REGEX, "api.*")}, "/path"),
        ({"methods": ("GET", "get")}, "/methods/1"),
        ({"headers": (ValueMatch("x tenant", MatchKind.PRESENT),)}, "/headers/0"),
        ({"headers": (ValueMatch("x-tenant", MatchKind.EXACT, "a\r\nb"),)}, "/headers/0"),
        ({"headers": (ValueMatch("x-tenant", MatchKind.PREFIX, ""),)}, "/headers/0"),
        ({"cookies": (ValueMatch("sid", MatchKind.REGEX, ""),)}, "/cookies/0"),
        ({"cookies": tuple(ValueMatch(f"c{at}", MatchKind.PRESENT) for at in range(17))}, "/cookies"),
        ({"priority": 1_000_001}, "/priority"),
        ({"rewrite": "api"}, "/rewrite"),
        ({"rewrite": "/a\r\nx: y"}, "/rewrite"),
        ({"rewrite": "/v2", "path": PathMatch(PathKind.REGEX, "/.*")}, "/rewrite"),
        ({"timeout": math.nan}, "/timeout"),
        ({"timeout": -1.0}, "/timeout"),
        ({"idle_timeout": math.inf}, "/idle_timeout"),
        ({"subset": "v1", "split": split(v1=10_000)}, "/split"),
        ({"split": Split()}, "/split"),
        ({"split": Split.whole("not an id")}, "/split"),
        ({"subset": "not an id"}, "/subset"),
        ({"port": "not an id"}, "/port"),
        ({"key": Key("default", "api")}, "/name"),
        ({"key": Key("prod", "web.api")}, "/name"),
    ],
)
def test_a_route_that_envoy_would_refuse_is_refused_at_its_field(fields: dict[str, object], pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        route(**fields)  # type: ignore[arg-type]  # wrong values are the point
    assert caught.value.pointer == pointer


def test_a_route_may_say_everything_at_once() -> None:
    route(
        hosts=("*", "*.example.com", "web_1.example.com"),
        path=PathMatch(PathKind.EXACT, "/a b?c"),
        methods=("GET", "POST"),
        headers=(ValueMatch("X-Tenant", MatchKind.EXACT, ""),),
        cookies=(ValueMatch("sid", MatchKind.ABSENT),),
        rewrite="/",
        timeout=0.0,
        subset="-",
        port="admin",
    )


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"attempts": -1}, "/retry/attempts"),
        ({"attempts": 11}, "/retry/attempts"),
        ({"on": ("5xx", "a,b")}, "/retry/on/1"),
        ({"per_try": math.nan}, "/retry/per_try"),
    ],
)
def test_a_retry_that_envoy_would_refuse_is_refused(fields: dict[str, object], pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Retry(**fields)  # type: ignore[arg-type]  # wrong values are the point
    assert caught.value.pointer == pointer


CAREFUL = Retry(on=UNSENT)


@pytest.mark.parametrize(
    ("methods", "ways"),
    [
        ((), [(IDEMPOTENT, Retry()), ((), CAREFUL)]),
        (("GET", "POST"), [(("GET",), Retry()), (("POST",), CAREFUL)]),
        (("PUT", "HEAD"), [(("PUT", "HEAD"), Retry())]),
        (("POST",), [(("POST",), CAREFUL)]),
    ],
)
def test_by_default_what_may_have_been_carried_out_is_tried_again_for_idempotent_methods_only(
    methods: tuple[str, ...], ways: list[tuple[tuple[str, ...], Retry]]
) -> None:
    assert list(Retry().by_methods(methods)) == ways


@pytest.mark.parametrize("said", [Retry(on=("gateway-error",)), Retry(attempts=0)])
def test_conditions_that_are_given_hold_for_every_method(said: Retry) -> None:
    assert said.by_methods(()) == (((), said),)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"timeout": math.nan}, "/timeout"),
        ({"connect_timeout": 0.0}, "/connect_timeout"),
        ({"connect_timeout": math.nan}, "/connect_timeout"),
        ({"upstream_port": 0}, "/upstream_port"),
        ({"upstream_port": 70_000}, "/upstream_port"),
        ({"stable": "V 1"}, "/stable"),
        ({"split": Split.whole("V 1")}, "/split"),
        ({"key": ServiceKey("default", "We b")}, "/name"),
        ({"key": ServiceKey("a/b", "web")}, "/env"),
        ({"subsets": (Subset("a", Selector()), Subset("a", Selector()))}, "/subsets"),
    ],
)
def test_a_service_that_could_not_run_is_refused_at_its_field(fields: dict[str, object], pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        service(**fields)  # type: ignore[arg-type]  # wrong values are the point
    assert caught.value.pointer == pointer


def test_the_subset_of_everybody_cannot_be_declared() -> None:
    with pytest.raises(InvalidInput):
        Subset("-", Selector())


def test_a_named_port_speaks_http_unless_it_is_said_otherwise() -> None:
    mixed = service(protocol=Protocol.TCP, protocols={"grpc": Protocol.GRPC})
    assert [mixed.protocol_of(port) for port in ("", "grpc", "admin")] == [Protocol.TCP, Protocol.GRPC, Protocol.HTTP]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"listeners": ()}, "/listeners"),
        ({"listeners": (GatewayListener(port=0),)}, "/listeners/0/port"),
        ({"listeners": (GatewayListener(name="A"),)}, "/listeners/0/name"),
        ({"listeners": (GatewayListener(address="edge.example.com"),)}, "/listeners/0/address"),
        ({"listeners": (GatewayListener("a"), GatewayListener("a", port=81))}, "/listeners/1"),
        ({"listeners": (GatewayListener("a"), GatewayListener("b"))}, "/listeners/1"),
        ({"hosts": ("*", "Example.com")}, "/hosts/1"),
        ({"key": Key("default", "Edge")}, "/name"),
    ],
)
def test_a_gateway_that_envoy_could_not_open_is_refused(fields: dict[str, object], pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Gateway(**{"key": Key("default", "edge"), **fields})  # type: ignore[arg-type]  # wrong values are the point
    assert caught.value.pointer == pointer


@pytest.mark.parametrize(
    ("pattern", "host", "covered"),
    [
        ("*", "anything", True),
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "*.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "badexample.com", False),
        ("*.example.com", "*", False),
        ("example.com", "example.com", True),
        ("example.com", "a.example.com", False),
    ],
)
def test_a_star_covers_the_names_below_it(pattern: str, host: str, covered: bool) -> None:
    assert Gateway(Key("default", "edge"), hosts=(pattern,)).covers(host) is covered


def test_a_sidecar_that_serves_nothing_has_an_egress_only() -> None:
    assert NodeProfile.from_metadata({}) == NodeProfile(Role.SIDECAR, egress=EGRESS)


def test_a_sidecar_with_an_application_has_an_ingress() -> None:
    found = NodeProfile.from_metadata({"fairlead": {"service": "web", "app": "127.0.0.1:8080"}})
    assert found == NodeProfile(
        Role.SIDECAR, service="web", egress=EGRESS, ingress=INGRESS, app=Address("127.0.0.1", 8080)
    )


def test_off_closes_a_listener_and_no_application_means_no_ingress() -> None:
    ours = {"app": "off", "service": "web", "listeners": {"egress": "off", "ingress": "[::]:15006"}}
    assert NodeProfile.from_metadata({"fairlead": ours}) == NodeProfile(Role.SIDECAR, service="web")


def test_a_gateway_may_override_where_it_binds() -> None:
    ours = {"role": "gateway", "env": "prod", "gateway": "edge", "listeners": {"gateway": "[::]:80"}}
    found = NodeProfile.from_metadata({"fairlead": ours})
    assert found == NodeProfile(Role.GATEWAY, "prod", gateway="edge", bind=Address("::", 80))
    assert found.variant == "gateway|prod|edge|bind=[::]:80"


@pytest.mark.parametrize(
    ("ours", "pointer"),
    [
        ("text", ""),
        ({"role": "router"}, "/role"),
        ({"role": 7.0}, "/role"),
        ({"env": "A b"}, "/env"),
        ({"service": "web|egress=1.2.3.4:5"}, "/service"),
        ({"role": "gateway", "gateway": "E"}, "/gateway"),
        ({"listeners": []}, "/listeners"),
        ({"listeners": {"egress": "localhost:80"}}, "/listeners/egress"),
        ({"listeners": {"egress": "127.0.0.1:0"}}, "/listeners/egress"),
        ({"listeners": {"egress": 15001.0}}, "/listeners/egress"),
        ({"app": "127.0.0.1:+80"}, "/app"),
    ],
)
def test_metadata_that_cannot_be_used_is_the_nodes_fault_and_named(ours: object, pointer: str) -> None:
    with pytest.raises(PeerError) as caught:
        NodeProfile.from_metadata({"fairlead": ours})
    assert caught.value.pointer == f"/metadata/fairlead{pointer}"


def test_profiles_that_differ_in_anything_have_listeners_of_their_own() -> None:
    profiles = [
        NodeProfile(Role.SIDECAR, service=WEB.name, egress=EGRESS),
        NodeProfile(Role.SIDECAR, service=WEB.name, ingress=EGRESS),
        NodeProfile(Role.SIDECAR, service=WEB.name),
        NodeProfile(Role.GATEWAY, gateway=WEB.name),
        NodeProfile(Role.SIDECAR, "prod", service=WEB.name),
    ]
    assert len({profile.variant for profile in profiles}) == len(profiles)
