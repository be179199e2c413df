"""A route that Envoy would refuse costs its own change, and nobody else; tests/envoy holds the faults to Envoy."""

from __future__ import annotations

import pytest
from envoy_data_plane.envoy.config.route.v3 import Route, RouteMatch, VirtualHost

from tests.unit.translate.views import member, route, view
from xds.model.problems import InvalidInput
from xds.model.route import PathKind
from xds.translate.product import Product, product
from xds.translate.validate import Fault, check, domains, route_match, virtual_host


def test_a_fault_names_the_field_in_the_message() -> None:
    host = VirtualHost(name="web", domains=["a", "A"], routes=[Route(match=RouteMatch())])
    assert [fault.pointer for fault in virtual_host(host)] == ["/domains/1", "/routes/0/match", "/routes/0/route"]


def test_a_field_that_is_not_known_is_a_fault() -> None:
    host = VirtualHost(name="web", domains=["a"], include_request_attempt_count=True)
    assert [fault.pointer for fault in virtual_host(host)] == ["/include_request_attempt_count"]


def test_domains_of_several_hosts_are_compared_whatever_their_letters() -> None:
    assert not list(domains(["web", "*.web", "web.*", "*"]))
    assert [fault.pointer for fault in domains(["*.web", "*.Web"])] == ["/domains/1"]


@pytest.mark.parametrize(
    ("fault", "pointer"),
    [("/headers/3/name", "/headers"), ("/retry_policy/per_try", "/retry"), ("/safe_regex", "/path"), ("", "/path")],
)
def test_a_fault_points_into_the_declared_route(fault: str, pointer: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        check(iter([Fault(fault, "is wrong")]))
    assert raised.value.pointer == pointer
    check(route_match(RouteMatch(prefix="/")))


def translated(path: str, before: Product | None = None) -> Product:
    declared = route("web", "api", path, PathKind.REGEX, hosts=("web.test",))
    return product(view("web", member("web", 1), routes=[declared]), frozenset(), before)


def test_a_change_that_envoy_would_refuse_leaves_the_route_as_it_was() -> None:
    good = translated("/a+")
    bad = translated("/[a-z]{200}", good)
    assert [rule.bodies for rule in bad.by_host["web.test"]] == [rule.bodies for rule in good.by_host["web.test"]]
    (problem,) = bad.problems
    assert (problem.object, problem.pointer) == ("default/web.api", "/path")
    assert problem.message.endswith("the route stays as it was before")
    assert translated("/b+", bad).by_host != good.by_host


def test_a_route_that_was_never_good_is_left_out() -> None:
    bad = translated("/[a-z]{200}")
    assert not bad.by_host
    assert bad.problems[0].message.endswith("the route is left out")
    assert "web" in bad.inside
