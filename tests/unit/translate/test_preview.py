"""A preview in Envoy's words: requests that go to the new version before the split is asked, and copies for it."""

from __future__ import annotations

from typing import Any

from tests.unit.translate.views import Published, member, route, view
from xds.model.gateway import Gateway
from xds.model.health import Health
from xds.model.names import Key
from xds.model.policy import Mirror, ServicePolicy
from xds.model.preview import Preview
from xds.model.route import IDEMPOTENT, MatchKind, ValueMatch
from xds.model.selector import EVERYTHING
from xds.model.view import ServiceView
from xds.translate import OutputKey
from xds.wire.types import ResourceType

INSIDER = ValueMatch("x-canary", MatchKind.EXACT, "insider")
ALWAYS = ValueMatch("canary", MatchKind.EXACT, "always")
TENANT = ValueMatch("x-tenant", MatchKind.EXACT, "acme")
V1, V2 = member("web", 1), member("web", 2, "v2")
MATCHED, COPIED = Preview("v2", (INSIDER,), (ALWAYS,)), Preview("v2", mirror=1_000)
NOBODY = [("v1", 10_000)]
SAFE = "|".join(sorted(IDEMPOTENT))


def rules(one: ServiceView, host: str = "web") -> list[tuple[list[str], list[tuple[str, int]], list[str]]]:
    """The routes of a host in their order: what is asked of a request, the split, and who gets copies."""
    published = Published()
    published.build(one, gateways=[Gateway(Key("default", "edge"))])
    found = published.message(ResourceType.ROUTE, "egress")["virtual_hosts"]
    return [_rule(each) for each in next(every["routes"] for every in found if host in every["domains"])]


def _rule(message: dict[str, Any]) -> tuple[list[str], list[tuple[str, int]], list[str]]:
    match, action = message["match"], message["route"]
    asked = [match["prefix"]] if match.get("prefix", "/") != "/" else []
    for each in (*match.get("headers", ()), *match.get("cookies", ())):
        said = each["string_match"]
        asked.append(f"{each['name']}={said.get('exact') or said['safe_regex']['regex']}")
    clusters = action["weighted_clusters"]["clusters"]
    split = [(each["name"].rpartition("/")[2], each["weight"]) for each in clusters]
    return asked, split, [each["cluster"] for each in action.get("request_mirror_policies", ())]


def test_what_it_matches_goes_to_the_version_before_the_split_is_asked() -> None:
    found = rules(view("web", V1, V2, preview=MATCHED))
    assert found == [
        ([f":method={SAFE}", "x-canary=insider"], [("v2", 10_000)], []),
        (["x-canary=insider"], [("v2", 10_000)], []),
        ([f":method={SAFE}", "canary=always"], [("v2", 10_000)], []),
        (["canary=always"], [("v2", 10_000)], []),
        ([f":method={SAFE}"], NOBODY, []),
        ([], NOBODY, []),
    ]


def test_it_holds_under_every_route_of_the_service_beside_what_that_asks_itself() -> None:
    api = route("web", "api", "/api", headers=(TENANT,), methods=("GET",), hosts=("shop.test",))
    found = rules(view("web", V1, V2, routes=[api], preview=Preview("v2", (INSIDER,))), "shop.test")
    assert found == [
        (["/api", ":method=GET", "x-tenant=acme", "x-canary=insider"], [("v2", 10_000)], []),
        (["/api", ":method=GET", "x-tenant=acme"], NOBODY, []),
    ]


def test_a_route_that_is_outside_rollouts_stays_as_it_is() -> None:
    fixed = route("web", "fixed", "/fixed", methods=("GET",), hosts=("shop.test",), subset="v1")
    found = rules(view("web", V1, V2, routes=[fixed], preview=MATCHED), "shop.test")
    assert found == [(["/fixed", ":method=GET"], NOBODY, [])]


def test_while_nobody_of_the_version_can_serve_its_requests_follow_the_split_and_that_is_told() -> None:
    published = Published()
    ailing = member("web", 2, "v2", health=Health.UNHEALTHY)
    published.build(view("web", V1, ailing, preview=MATCHED))
    problems = [(each.object, each.pointer, each.message) for each in published.last.problems]
    words = "no instance of 'v2' can serve: what its preview matches follows the split"
    assert ("default/web", "/preview", words) in problems
    assert [split for _, split, _ in rules(view("web", V1, ailing, preview=MATCHED))] == [NOBODY, NOBODY]


def test_copies_are_made_of_what_goes_elsewhere_and_not_of_what_goes_there_anyway() -> None:
    both = Preview("v2", (INSIDER,), mirror=1_000)
    copies = [copied for _, _, copied in rules(view("web", V1, V2, preview=both))]
    assert copies == [[], [], ["web/v2"], ["web/v2"]]


def test_its_copies_go_before_those_of_a_policy() -> None:
    elsewhere = ServicePolicy(Key("default", "shadow"), EVERYTHING, mirror=Mirror("v1"))
    one = view("web", V1, V2, preview=COPIED)
    found = rules(ServiceView(one.service, one.members, one.subsets, one.routes, (elsewhere,)))
    assert [copied for _, _, copied in found] == [["web/v2"], ["web/v2"]]


def test_the_routes_need_the_cluster_of_the_version_though_the_split_does_not() -> None:
    published = Published()
    published.build(view("web", V1, V2, preview=MATCHED))
    assert published.standing[OutputKey(ResourceType.ROUTE, "egress", "default")].needs == {"web/v1", "web/v2"}


def test_a_version_that_lost_its_last_instance_keeps_its_cluster_while_the_preview_lasts() -> None:
    published = Published()
    published.build(view("web", V1, V2, preview=MATCHED))
    published.build(view("web", V1, preview=MATCHED))
    assert OutputKey(ResourceType.CLUSTER, "web/v2", "default") in published.standing
    published.build(view("web", V1))
    assert OutputKey(ResourceType.CLUSTER, "web/v2", "default") not in published.standing
