"""Who may call: a name is where its instances are now, and only what a change concerns is made anew."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.translate.views import Published, member, view
from xds.model.callers import MAX_CALLERS, parse_callers
from xds.model.instance import Address
from xds.model.node import NodeProfile, Role
from xds.model.problems import InvalidInput
from xds.wire.types import ResourceType

SERVED = NodeProfile(Role.SIDECAR, service="web", ingress=Address("0.0.0.0", 15006), app=Address("127.0.0.1", 80))
IN_FRONT = Address("10.0.0.1", 15006)


def callers(published: Published) -> list[str] | None:
    """The prefixes that the ingress of web lets in, None for everybody."""
    routes = published.message(ResourceType.ROUTE, "ingress/web", "default")
    guard = routes["virtual_hosts"][0]["routes"][0].get("typed_per_filter_config")
    if guard is None:
        return None
    (principals,) = [
        each["principals"] for each in guard["envoy.filters.http.rbac"]["rbac"]["rules"]["policies"].values()
    ]
    found: list[dict[str, Any]] = [each["direct_remote_ip"] for each in principals]
    return [f"{each['address_prefix']}/{each['prefix_len']}" for each in found]


@pytest.fixture
def published() -> Published:
    return Published(nodes=frozenset({SERVED}))


def web(**more: Any) -> Any:
    return view("web", member("web", 1, ingress=IN_FRONT), **more)


def test_without_a_word_everybody_may_call(published: Published) -> None:
    published.build(web())
    assert callers(published) is None


def test_a_name_is_where_its_instances_and_their_sidecars_are(published: Published) -> None:
    shop = view("shop", member("shop", 2), member("shop", 3, ingress=Address("10.0.9.9", 1)))
    published.build(web(allow_from=("shop",)), shop, view("other", member("other", 4)))
    assert callers(published) == ["10.0.0.2/32", "10.0.0.3/32", "10.0.9.9/32"]


def test_a_name_stands_for_what_is_called_below_it(published: Published) -> None:
    published.build(web(allow_from=("shop",)), view("shop.cart", member("cart", 2)), view("shopping", member("x", 3)))
    assert callers(published) == ["10.0.0.2/32"]


def test_a_caller_that_scales_comes_or_goes_is_followed(published: Published) -> None:
    published.build(web(allow_from=("shop", "10.1.0.0/16")))
    assert callers(published) == ["10.1.0.0/16"]
    published.build(view("shop", member("shop", 2)))
    assert callers(published) == ["10.0.0.2/32", "10.1.0.0/16"]
    published.build(view("shop", member("shop", 3)))
    assert callers(published) == ["10.0.0.3/32", "10.1.0.0/16"]


def test_a_service_that_nobody_allowed_changes_nothing(published: Published) -> None:
    published.build(web(allow_from=("shop",)), view("shop", member("shop", 2)))
    built = published.build(view("other", member("other", 3)))
    assert not [each for each in built.upserts if each.name == "ingress/web"]


def test_a_policy_that_changes_is_followed_both_ways(published: Published) -> None:
    published.build(web())
    published.build(web(allow_from=()))
    assert callers(published) == ["255.255.255.255/32"], "nobody: an address that no peer has"
    published.build(web(allow_from=("*",)))
    assert callers(published) is None


def test_an_instance_that_anybody_can_reach_is_told(published: Published) -> None:
    built = published.build(view("web", member("web", 1, ingress=IN_FRONT), member("web", 2), allow_from=("shop",)))
    (problem,) = [each for each in built.problems if each.pointer == "/allow_from"]
    assert problem.message == "no sidecar stands in front of web-2: whoever gets there may call"


def test_a_breaker_without_a_filter_is_told(published: Published) -> None:
    built = published.build(web(breaker={}))
    assert "runs without the health filter" in next(
        each.message for each in built.problems if each.pointer == "/breaker"
    )


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (["b", "a", "b"], ("a", "b")),
        (["10.0.0.9", "fd00::1", "10.0.0.0/8"], ("10.0.0.0/8", "10.0.0.9/32", "fd00::1/128")),
        (["a", "*"], None),
        ([], ()),
    ],
)
def test_callers_are_read_in_one_spelling(said: list[str], read: tuple[str, ...] | None) -> None:
    assert parse_callers(said, pointer="") == read


@pytest.mark.parametrize("said", [["10.0.0.1/8"], ["10.0.0.256/8"], ["Web"], [""], ["a"] * (MAX_CALLERS + 1)], ids=str)
def test_what_is_no_caller_is_refused(said: list[str]) -> None:
    with pytest.raises(InvalidInput):
        parse_callers(said, pointer="/allow_from")
