"""Which members EDS shows, and how."""

from __future__ import annotations

import pytest

from tests.unit.translate.views import Published, member, view
from xds.model.health import Health
from xds.model.instance import Address
from xds.wire.types import ResourceType


def shown(published: Published, cluster: str) -> dict[str, str]:
    """Address -> health status."""
    found = published.message(ResourceType.ENDPOINT, cluster).get("endpoints", [])
    return {
        one["endpoint"]["address"]["socket_address"]["address"]: one["health_status"]
        for locality in found
        for one in locality["lb_endpoints"]
    }


@pytest.mark.parametrize(
    ("health", "status", "weight"),
    [
        (Health.HEALTHY, "HEALTHY", 100),
        (Health.UNSTABLE, "HEALTHY", 25),
        (Health.UNHEALTHY, "UNHEALTHY", 100),
    ],
)
def test_health_is_a_status_or_a_weight(health: Health, status: str, weight: int) -> None:
    """DEGRADED is a tier of its own: a degraded host beside healthy ones gets nothing, whatever its weight."""
    published = Published()
    published.build(view("web", member("web", 1, health=health), member("web", 2)))
    assert shown(published, "web/v1")["10.0.0.1"] == status
    assert published.endpoints("web/v1")["10.0.0.1"] == weight


def test_an_unstable_instance_keeps_at_least_a_weight_of_one() -> None:
    published = Published()
    published.build(view("web", member("web", 1, health=Health.UNSTABLE, weight=2)))
    assert published.endpoints("web/v1") == {"10.0.0.1": 1}


def test_draining_and_weightless_members_leave_where_others_serve() -> None:
    published = Published()
    web = [member("web", 1), member("web", 2, health=Health.DRAINING), member("web", 3, weight=0)]
    published.build(view("web", *web))
    assert published.endpoints("web/v1") == {"10.0.0.1": 100}


def test_the_last_of_a_subset_stays_until_routes_lead_away() -> None:
    """Envoy answers 503 from an empty cluster without a retry, and endpoints travel before routes."""
    published = Published()
    published.build(view("web", member("web", 1), member("web", 2, "v2", health=Health.DRAINING)))
    assert published.endpoints("web/v2") == {"10.0.0.2": 100}
    assert published.endpoints("web/-") == {"10.0.0.1": 100}


def test_where_nobody_serves_a_draining_one_is_better_than_none_and_weight_zero_keeps_its_word() -> None:
    published = Published()
    published.build(view("web", member("web", 1, health=Health.DRAINING), member("web", 2, weight=0)))
    assert published.endpoints("web/v1") == {"10.0.0.1": 100}


def test_m05_who_was_never_ready_is_not_shown_not_even_where_nobody_else_is() -> None:
    published = Published()
    published.build(view("web", member("web", 1), member("web", 2, "v2", health=Health.STARTING)))
    assert published.endpoints("web/v2") == {}
    assert published.endpoints("web/-") == {"10.0.0.1": 100}


def test_a_leaving_member_stays() -> None:
    published = Published()
    published.build(view("web", member("web", 1), member("web", 2, "v2", leaving=True), split={"v1": 50, "v2": 50}))
    assert published.endpoints("web/v2") == {"10.0.0.2": 100}
    hosts = published.message(ResourceType.ROUTE, "egress")["virtual_hosts"]
    clusters = hosts[0]["routes"][0]["route"]["weighted_clusters"]["clusters"]
    assert clusters == [{"name": "web/v1", "weight": 10000}]


def test_every_weighted_cluster_has_an_answer_even_an_empty_one() -> None:
    """Envoy withholds its answer to CDS until every cluster's endpoints came."""
    published = Published()
    published.build(view("web", split={"v1": 50, "v7": 50}))
    clusters = {key.name for key in published.standing if key.type is ResourceType.CLUSTER}
    endpoints = {key.name for key in published.standing if key.type is ResourceType.ENDPOINT}
    assert clusters == endpoints == {"web/-", "web/v1", "web/v7"}


def test_a_sidecars_ingress_stands_in_for_the_services_own_port_only() -> None:
    published = Published()
    ports = {"http": 80, "admin": 81}
    published.build(view("web", member("web", 1, ports=ports, ingress=Address("10.9.9.9", 15006))))
    assert set(published.endpoints("web/v1")) == {"10.9.9.9"}
    assert set(published.endpoints("web.admin/v1")) == {"10.0.0.1"}


def test_a_named_port_has_the_members_that_have_it_and_falls_back_by_itself() -> None:
    published = Published()
    web = [member("web", 1, ports={"http": 80, "admin": 81}), member("web", 2, "v2")]
    published.build(view("web", *web, split={"v1": 50, "v2": 50}))
    assert set(published.endpoints("web.admin/-")) == {"10.0.0.1"}
    hosts = {host["name"]: host for host in published.message(ResourceType.ROUTE, "egress")["virtual_hosts"]}
    clusters = hosts["web.admin"]["routes"][0]["route"]["weighted_clusters"]["clusters"]
    assert clusters == [{"name": "web.admin/v1", "weight": 10000}]


def test_localities_are_groups_in_a_fixed_order() -> None:
    published = Published()
    web = [member("web", n, region="eu", zone=zone) for n, zone in ((1, "b"), (2, "a"), (3, "b"))]
    published.build(view("web", *web))
    found = published.message(ResourceType.ENDPOINT, "web/v1")["endpoints"]
    assert [(one["locality"], len(one["lb_endpoints"])) for one in found] == [
        ({"region": "eu", "zone": "a"}, 1),
        ({"region": "eu", "zone": "b"}, 2),
    ]
