"""What a message refers to by name: the clusters that it needs, and what a client must be sent again to warm it.

Reads the messages of the types that refer to others: clusters (their endpoints), listeners (route configurations and
clusters), route configurations and virtual hosts (clusters). Extensions that are configured by a message of their own
are not looked into, apart from the HTTP connection manager and the TCP proxy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import betterproto2
from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterDiscoveryType
from envoy_data_plane.envoy.config.core.v3 import TypedExtensionConfig
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment
from envoy_data_plane.envoy.config.listener.v3 import FilterChain, Listener
from envoy_data_plane.envoy.config.route.v3 import Route, RouteConfiguration, VirtualHost
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager
from envoy_data_plane.envoy.extensions.filters.network.tcp_proxy.v3 import TcpProxy
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import Secret
from envoy_data_plane.envoy.service.runtime.v3 import Runtime
from envoy_data_plane.google.protobuf import Any as AnyMessage

from .codec import decode
from .types import ResourceType

_TYPES: Final[dict[type[betterproto2.Message], tuple[ResourceType, str]]] = {
    Cluster: (ResourceType.CLUSTER, "name"),
    ClusterLoadAssignment: (ResourceType.ENDPOINT, "cluster_name"),
    Listener: (ResourceType.LISTENER, "name"),
    RouteConfiguration: (ResourceType.ROUTE, "name"),
    TypedExtensionConfig: (ResourceType.EXTENSION, "name"),
    Secret: (ResourceType.SECRET, "name"),
    Runtime: (ResourceType.RUNTIME, "name"),
    VirtualHost: (ResourceType.VIRTUAL_HOST, "name"),
}
_MANAGER: Final = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_TCP_PROXY: Final = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"


@dataclass(slots=True)
class References:
    """Names that a message refers to: `needs` are clusters, `warms` resources of the type that warms it."""

    needs: set[str] = field(default_factory=set)
    warms: set[str] = field(default_factory=set)


def named(message: betterproto2.Message) -> tuple[ResourceType, str]:
    """Return the type and the name of a resource; TypeError for a message that is no xDS resource."""
    found = _TYPES.get(type(message))
    if found is None:
        known = ", ".join(sorted(kind.__name__ for kind in _TYPES))
        raise TypeError(f"{type(message).__name__} is no xDS resource; these are: {known}")
    type_, attribute = found
    return type_, str(getattr(message, attribute))


def references(message: betterproto2.Message) -> References:
    """Return what `message` refers to; nothing for types that refer to nothing."""
    found = References()
    match message:
        case Cluster(type=ClusterDiscoveryType.EDS):
            eds = message.eds_cluster_config
            found.warms.add((eds.service_name if eds else "") or message.name)
        case Listener():
            _listener(message, found)
        case RouteConfiguration():
            _hosts(message.virtual_hosts, found)
        case VirtualHost():
            _hosts([message], found)
        case _:
            pass
    return found


def _listener(listener: Listener, found: References) -> None:
    chains: list[FilterChain] = list(listener.filter_chains)
    if listener.default_filter_chain is not None:
        chains.append(listener.default_filter_chain)
    configs = [filter_.typed_config for chain in chains for filter_ in chain.filters]
    if listener.api_listener is not None:
        configs.append(listener.api_listener.api_listener)
    for config in configs:
        if config is not None:
            _network_filter(config, found)


def _network_filter(config: AnyMessage, found: References) -> None:
    if config.type_url.endswith(_MANAGER):
        manager = decode(HttpConnectionManager, config.value)
        if manager.rds is not None:
            found.warms.add(manager.rds.route_config_name)
        if manager.route_config is not None:
            _hosts(manager.route_config.virtual_hosts, found)
    elif config.type_url.endswith(_TCP_PROXY):
        proxy = decode(TcpProxy, config.value)
        if proxy.cluster:
            found.needs.add(proxy.cluster)
        if proxy.weighted_clusters is not None:
            found.needs.update(cluster.name for cluster in proxy.weighted_clusters.clusters)


def _hosts(hosts: Iterable[VirtualHost], found: References) -> None:
    for host in hosts:
        for route in host.routes:
            found.needs.update(_clusters(route))


def _clusters(route: Route) -> Iterator[str]:
    action = route.route
    if action is None:
        return
    if action.cluster:
        yield action.cluster
    if action.weighted_clusters is not None:
        yield from (cluster.name for cluster in action.weighted_clusters.clusters if cluster.name)
    yield from (mirror.cluster for mirror in action.request_mirror_policies if mirror.cluster)
