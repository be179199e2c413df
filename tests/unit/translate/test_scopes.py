"""The egress of sidecars that may call some services only."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.translate.views import SIDECAR, Published, member, route, view
from xds.model.gateway import Gateway
from xds.model.names import DEFAULT_ENV, Key, ServiceKey
from xds.model.node import EGRESS, NodeProfile, Role
from xds.translate import Built, OutputKey
from xds.wire.types import ResourceType

HOST = ("shop.example.com",)
SERVICES = ("a", "b", "c")


def calling(*upstreams: str) -> NodeProfile:
    return NodeProfile(Role.SIDECAR, egress=EGRESS, upstreams=upstreams)


def egress_of(published: Published, profile: NodeProfile) -> dict[str, list[Any]]:
    """Where the routes of an egress lead, by virtual host: cluster names, or the status of an answer, each once."""
    found = published.message(ResourceType.ROUTE, "egress", profile.scope)
    hosts = found.get("virtual_hosts", [])
    return {host["name"]: list(dict.fromkeys(map(_target, host["routes"]))) for host in hosts}


def _target(each: dict[str, Any]) -> Any:
    if "direct_response" in each:
        return each["direct_response"]["status"]
    return each["route"]["weighted_clusters"]["clusters"][0]["name"]


def built(*profiles: NodeProfile) -> tuple[Published, Built]:
    published = Published(nodes=frozenset({SIDECAR, *profiles}))
    made = published.build(
        view("a", member("a", 1), routes=[route("a", "shop", hosts=HOST)]),
        view("b", member("b", 2), routes=[route("b", "shop", "/b", hosts=HOST)]),
        view("c", member("c", 3, ports={"http": 80, "admin": 81})),
    )
    return published, made


def test_only_names_of_its_upstreams_are_there_and_named_ports_go_with_them() -> None:
    bound = calling("c")
    published, _ = built(bound)
    assert egress_of(published, bound) == {"c": ["c/v1"], "c.admin": ["c.admin/v1"]}
    assert egress_of(published, SIDECAR).keys() == {"a", "b", "c", "c.admin", HOST[0]}


def test_where_services_share_a_host_the_others_requests_are_answered_and_never_fall_to_a_wrong_service() -> None:
    bound = calling("a")
    published, _ = built(bound)
    assert egress_of(published, bound)[HOST[0]] == [404, "a/v1"]


def test_a_step_of_one_service_is_a_change_for_those_who_may_call_it_only() -> None:
    published, made = built(calling("a"), calling("b", "c"), calling("c"))
    assert made.carriers[ServiceKey(DEFAULT_ENV, "b")] == {
        OutputKey(ResourceType.ROUTE, "egress", "default"),
        OutputKey(ResourceType.ROUTE, "egress", "default|upstreams=b,c"),
    }
    routes = [route("b", "shop", "/b", hosts=HOST)]
    members = member("b", 2), member("b", 4, "v2")
    published.build(view("b", *members, routes=routes))
    step = published.build(view("b", *members, routes=routes, split={"v1": 50, "v2": 50}))
    changed = {(output.name, output.variant) for output in step.upserts if output.type is ResourceType.ROUTE}
    assert changed == {("egress", "default"), ("egress", "default|upstreams=b,c")}


def test_profiles_that_differ_in_upstreams_alone_share_their_listeners_and_keep_them_when_one_leaves() -> None:
    published, _ = built(calling("a"), calling("b"))
    published.nodes = frozenset({calling("a")})
    last = published.build()
    assert {key.variant for key in last.removals} == {"default|upstreams=b"}
    assert OutputKey(ResourceType.LISTENER, "egress", SIDECAR.variant) in published.standing


def test_an_upstream_that_does_not_exist_yet_comes_in_when_it_does() -> None:
    bound = calling("later")
    published, _ = built(bound)
    assert egress_of(published, bound) == {}
    published.build(view("later", member("later", 9)))
    assert egress_of(published, bound) == {"later": ["later/v1"]}


def test_a_gateways_use_is_what_its_routes_lead_to() -> None:
    published, _ = built()
    edge, inner = Gateway(Key(DEFAULT_ENV, "edge")), Gateway(Key(DEFAULT_ENV, "inner"), hosts=("*.inner",))
    made = published.build(gateways=[edge, inner])
    assert made.uses == {edge.key: {"a", "b"}, inner.key: frozenset()}
    assert published.build(view("b", member("b", 2))).uses[edge.key] == {"a"}
    assert published.build(gateways=[]).uses == {}


@given(st.lists(st.tuples(st.sampled_from(SERVICES), st.sampled_from(["own", "shared", "gone"])), max_size=12))
def test_whatever_came_before_a_scope_is_what_one_made_anew_would_be(steps: list[tuple[str, str]]) -> None:
    profiles = frozenset({SIDECAR, calling("a"), calling("a", "c")})
    lived, last = Published(nodes=profiles), dict[str, Any]()
    lived.build()
    for name, how in steps:
        if how == "gone":
            last.pop(name, None)
            lived.build(gone=[ServiceKey(DEFAULT_ENV, name)])
        else:
            routes = [route(name, "shop", f"/{name}", hosts=HOST)] if how == "shared" else []
            last[name] = view(name, member(name, 1), routes=routes)
            lived.build(last[name])
    fresh = Published(nodes=profiles)
    fresh.build(*last.values())
    assert lived.standing == fresh.standing


@pytest.mark.parametrize("upstreams", [(), ("nobody",)])
def test_who_calls_nobody_has_an_empty_egress(upstreams: tuple[str, ...]) -> None:
    bound = calling(*upstreams)
    published, _ = built(bound)
    assert egress_of(published, bound) == {}
