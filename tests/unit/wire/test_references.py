"""What messages refer to: the clusters they need, and what warms them."""

from __future__ import annotations

import betterproto2
import pytest
from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterDiscoveryType, ClusterEdsClusterConfig
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment
from envoy_data_plane.envoy.config.listener.v3 import ApiListener, Filter, FilterChain, Listener
from envoy_data_plane.envoy.config.route.v3 import (
    Route,
    RouteAction,
    RouteActionRequestMirrorPolicy,
    RouteConfiguration,
    VirtualHost,
    WeightedCluster,
    WeightedClusterClusterWeight,
)
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager, Rds
from envoy_data_plane.envoy.extensions.filters.network.tcp_proxy.v3 import (
    TcpProxy,
    TcpProxyWeightedCluster,
    TcpProxyWeightedClusterClusterWeight,
)

from xds.wire.packing import pack_any
from xds.wire.references import named, references
from xds.wire.types import ResourceType

MIRRORED = RouteAction(cluster="a", request_mirror_policies=[RouteActionRequestMirrorPolicy(cluster="shadow")])
SPLIT = RouteAction(
    weighted_clusters=WeightedCluster(
        clusters=[WeightedClusterClusterWeight(name="b"), WeightedClusterClusterWeight(name="c")]
    )
)
HOST = VirtualHost(name="web", routes=[Route(route=MIRRORED), Route(route=SPLIT), Route(redirect=None)])
ROUTES = RouteConfiguration(name="egress", virtual_hosts=[HOST])


def behind(*configs: betterproto2.Message) -> Listener:
    filters = [Filter(name="f", typed_config=pack_any(config)) for config in configs]
    return Listener(name="l", filter_chains=[FilterChain(filters=filters)])


@pytest.mark.parametrize("message", [ROUTES, HOST, behind(HttpConnectionManager(route_config=ROUTES))])
def test_routes_need_every_cluster_that_they_may_send_a_request_to(message: betterproto2.Message) -> None:
    assert references(message).needs == {"a", "b", "c", "shadow"}


def test_a_listener_is_warmed_by_its_route_configurations() -> None:
    by_rds = HttpConnectionManager(rds=Rds(route_config_name="egress"))
    assert references(behind(by_rds)).warms == {"egress"}
    assert references(Listener(name="l", default_filter_chain=behind(by_rds).filter_chains[0])).warms == {"egress"}
    assert references(Listener(name="l", api_listener=ApiListener(api_listener=pack_any(by_rds)))).warms == {"egress"}


def test_a_tcp_proxy_needs_its_clusters() -> None:
    weighted = TcpProxyWeightedCluster(clusters=[TcpProxyWeightedClusterClusterWeight(name="b", weight=1)])
    assert references(behind(TcpProxy(cluster="a"), TcpProxy(weighted_clusters=weighted))).needs == {"a", "b"}


def test_a_cluster_is_warmed_by_its_endpoints_if_it_has_them_from_xds() -> None:
    eds = ClusterDiscoveryType.EDS
    assert references(Cluster(name="a", type=eds)).warms == {"a"}
    renamed = Cluster(name="a", type=eds, eds_cluster_config=ClusterEdsClusterConfig(service_name="a-endpoints"))
    assert references(renamed).warms == {"a-endpoints"}
    assert references(Cluster(name="a")).warms == set()


def test_a_resource_is_named_by_its_own_field() -> None:
    assert named(ClusterLoadAssignment(cluster_name="a")) == (ResourceType.ENDPOINT, "a")
    with pytest.raises(TypeError, match="Route is no xDS resource; these are: Cluster, ClusterLoadAssignment"):
        named(Route())
