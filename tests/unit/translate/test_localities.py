"""Endpoints as they are seen from a place: nearest zone, then region, then the rest."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.translate.views import EDGE, SIDECAR, Published, member, view
from xds.control.groups import group_of
from xds.model.health import Health
from xds.model.node import Role, place_variant
from xds.model.view import Member
from xds.translate.outputs import OutputKey
from xds.wire.types import ResourceType

HERE = replace(EDGE, region="eu", zone="eu-1a")
SEEN_FROM_HERE = place_variant("default", "eu", "eu-1a")


def at(number: int, region: str = "", zone: str = "", **more: Health) -> Member:
    return member("web", number, region=region, zone=zone, **more)


SPREAD = (at(1, "eu", "eu-1a"), at(2, "eu", "eu-1b"), at(3, "us", "us-2a"), at(4))


def tiers(published: Published, variant: str = SEEN_FROM_HERE, cluster: str = "web/v1") -> dict[str, int]:
    """Zones (or regions, or nowhere) and their priorities."""
    found: dict[str, int] = {}
    for each in published.message(ResourceType.ENDPOINT, cluster, variant).get("endpoints", []):
        where = each.get("locality", {})
        found[where.get("zone") or where.get("region") or "nowhere"] = each.get("priority", 0)
    return found


def test_the_nearest_zone_comes_first_then_the_region_then_everybody_else() -> None:
    published = Published(nodes=frozenset({SIDECAR, HERE}))
    published.build(view("web", *SPREAD))
    assert tiers(published) == {"eu-1a": 0, "eu-1b": 1, "us-2a": 2, "nowhere": 2}
    assert set(tiers(published, "default").values()) == {0}, "who does not say where it runs sees all alike"


def test_priorities_have_no_gaps_because_envoy_refuses_those() -> None:
    published = Published(nodes=frozenset({HERE}))
    published.build(view("web", at(2, "eu", "eu-1b"), at(3, "us", "us-2a")))
    assert tiers(published) == {"eu-1b": 0, "us-2a": 1}
    published.build(view("web", at(3, "us", "us-2a")))
    assert tiers(published) == {"us-2a": 0}


def test_a_node_that_names_only_its_region_prefers_all_of_it() -> None:
    published = Published(nodes=frozenset({replace(EDGE, region="eu")}))
    published.build(view("web", *SPREAD))
    assert tiers(published, place_variant("default", "eu", "")) == {"eu-1a": 0, "eu-1b": 0, "us-2a": 1, "nowhere": 1}


def test_where_no_instance_says_where_it_runs_nothing_is_made_for_places() -> None:
    published = Published(nodes=frozenset({HERE}))
    published.build(view("web", at(1), at(2)))
    assert OutputKey(ResourceType.ENDPOINT, "web/v1", SEEN_FROM_HERE) not in published.standing


def test_a_place_is_made_when_the_first_envoy_comes_and_goes_with_the_last() -> None:
    published = Published()
    published.build(view("web", *SPREAD))
    key = OutputKey(ResourceType.ENDPOINT, "web/v1", SEEN_FROM_HERE)
    assert key not in published.standing
    published.nodes = frozenset({SIDECAR, EDGE, HERE})
    published.build()
    assert tiers(published)["eu-1a"] == 0
    published.nodes = frozenset({SIDECAR, EDGE})
    published.build()
    assert key not in published.standing


def test_a_place_follows_its_service_also_when_the_last_zone_is_gone_and_ends_with_it() -> None:
    """What lingered of it would hide what the environment has."""
    published = Published(nodes=frozenset({HERE}))
    published.build(view("web", *SPREAD))
    published.build(view("web", at(4)))
    assert tiers(published) == {"nowhere": 0}
    published.build(gone=[SPREAD[0].instance.service])
    assert OutputKey(ResourceType.ENDPOINT, "web/v1", SEEN_FROM_HERE) not in published.standing


def test_health_is_the_same_seen_from_everywhere() -> None:
    published = Published(nodes=frozenset({HERE}))
    published.build(view("web", at(1, "eu", "eu-1a", health=Health.UNHEALTHY), at(2, "eu", "eu-1b")))
    (near, _) = published.message(ResourceType.ENDPOINT, "web/v1", SEEN_FROM_HERE)["endpoints"]
    assert near["lb_endpoints"][0]["health_status"] == "UNHEALTHY"


def test_listeners_do_not_depend_on_where_a_node_runs() -> None:
    there = replace(SIDECAR, role=Role.SIDECAR, zone="eu-1b")
    published = Published(nodes=frozenset({SIDECAR, there}))
    published.build(view("web", *SPREAD))
    assert [
        key.variant for key in published.standing if key.name == "egress" and key.type is ResourceType.LISTENER
    ] == [SIDECAR.variant]


def test_a_gateway_that_says_where_it_runs_sees_its_places_endpoints_before_its_environments() -> None:
    """Its group names services, and for a node without upstreams of its own the scope is the environment."""
    variants = group_of(HERE, ("web",)).variants
    assert variants == (HERE.variant, SEEN_FROM_HERE, "default", "")
    assert group_of(HERE, None).variants == variants
    assert group_of(EDGE, ("web",)).id != group_of(HERE, ("web",)).id
