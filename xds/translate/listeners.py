"""Open ports: the only maker of Listener.

Four kinds: `egress` (a sidecar's, by Host), `upstream/<service>` (a sidecar's local port per service),
`ingress/<service>` (what other hosts reach of a sidecar) and `gateway/<name>`. Knows addresses and who listens there;
refuses to know which nodes there are.
"""

from __future__ import annotations

import dataclasses
import functools

from envoy_data_plane.envoy.config.core.v3 import Address as AddressMessage
from envoy_data_plane.envoy.config.core.v3 import SocketAddress, TrafficDirection
from envoy_data_plane.envoy.config.listener.v3 import Filter, FilterChain, FilterChainMatch, Listener
from envoy_data_plane.envoy.extensions.filters.network.tcp_proxy.v3 import (
    TcpProxy,
    TcpProxyWeightedCluster,
    TcpProxyWeightedClusterClusterWeight,
)

from xds.model.gateway import Gateway
from xds.model.instance import Address
from xds.model.service import Protocol
from xds.wire.codec import encode
from xds.wire.packing import pack_any

from . import access, access_log, naming
from .clusters import BUFFER
from .connection import Side, connection_manager
from .product import Upstream

_HTTP = "envoy.filters.network.http_connection_manager"
_TCP = "envoy.filters.network.tcp_proxy"


@functools.lru_cache(maxsize=4096)
def egress(bind: Address, *, with_filter: bool) -> bytes:
    """Return the encoded listener that finds a service by the Host header."""
    manager = connection_manager(naming.EGRESS, naming.EGRESS, Side.MESH, with_filter=with_filter)
    return _listener(naming.EGRESS, bind, Filter(name=_HTTP, typed_config=pack_any(manager)), inbound=False)


@functools.lru_cache(maxsize=4096)
def upstream(found: Upstream, host: str, *, with_filter: bool) -> bytes:
    """Return the encoded listener of a service's local port on `host`: by request, or by connection for TCP."""
    name = naming.upstream(found.service)
    if found.protocol.is_http:
        manager = connection_manager(name, name, Side.MESH, with_filter=with_filter)
        chosen = Filter(name=_HTTP, typed_config=pack_any(manager))
    else:
        weights = [
            TcpProxyWeightedClusterClusterWeight(name=naming.cluster(found.service, subset), weight=weight)
            for subset, weight in found.split.weights.items()
        ]
        chosen = _tcp(TcpProxy(weighted_clusters=TcpProxyWeightedCluster(clusters=weights)), name)
    return _listener(name, Address(host, found.port), chosen, inbound=False)


@functools.lru_cache(maxsize=4096)
def ingress(service: str, protocol: Protocol, bind: Address, callers: access.Prefixes | None = None) -> bytes:
    """Return the encoded listener in front of a sidecar's application; `callers` None lets everybody in."""
    name = naming.ingress(service)
    if protocol.is_http:
        manager = connection_manager(name, name, Side.INGRESS, with_filter=False, guarded=callers is not None)
        return _listener(name, bind, Filter(name=_HTTP, typed_config=pack_any(manager)), inbound=True)
    proxy = _tcp(TcpProxy(cluster=naming.application(service)), name)
    # Not Envoy's RBAC filter for TCP: it waits for the caller's first byte, and a server that speaks first is heard.
    match = None if callers is None else FilterChainMatch(direct_source_prefix_ranges=access.ranges(callers))
    return _listener(name, bind, proxy, inbound=True, match=match)


def gateway(found: Gateway, bind: Address | None, *, with_filter: bool) -> dict[str, bytes]:
    """Return a gateway's encoded listeners by name; `bind` stands in for the address of its only one."""
    routes = naming.gateway(found.key.name)
    several = len(found.listeners) > 1
    made: dict[str, bytes] = {}
    for listener in found.listeners:
        name = naming.gateway(found.key.name, listener.name if several else "")
        manager = connection_manager(name, routes, Side.EDGE, with_filter=with_filter)
        address = Address(listener.address, listener.port) if several or bind is None else bind
        made[name] = _listener(name, address, Filter(name=_HTTP, typed_config=pack_any(manager)), inbound=True)
    return made


def _tcp(proxy: TcpProxy, name: str) -> Filter:
    message = dataclasses.replace(proxy, stat_prefix=naming.stat_name(name), access_log=[access_log.connections()])
    return Filter(name=_TCP, typed_config=pack_any(message))


def _listener(
    name: str, bind: Address, chosen: Filter, *, inbound: bool, match: FilterChainMatch | None = None
) -> bytes:
    """Return an encoded listener of one filter chain, named as the listener so that logs can tell.

    Connections that do not `match` are closed.

    `::` takes IPv4 connections too, as an operator who writes it means every interface.
    """
    socket = SocketAddress(address=bind.host, port_value=bind.port, ipv4_compat=bind.host == "::")
    return encode(
        Listener(
            name=name,
            stat_prefix=naming.stat_name(name),
            address=AddressMessage(socket_address=socket),
            filter_chains=[FilterChain(name=name, filters=[chosen], filter_chain_match=match)],
            per_connection_buffer_limit_bytes=BUFFER,
            traffic_direction=TrafficDirection.INBOUND if inbound else TrafficDirection.OUTBOUND,
            enable_reuse_port=True,
        )
    )
