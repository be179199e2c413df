"""Services as clusters: the only maker of Cluster.

One per subset and port, fed by EDS over ADS, plus the static one that a sidecar's ingress hands requests to. What a
service's clusters have in common is encoded once per policy.
"""

from __future__ import annotations

import datetime
import functools

from envoy_data_plane.envoy.config.cluster.v3 import (
    CircuitBreakers,
    CircuitBreakersThresholds,
    CircuitBreakersThresholdsRetryBudget,
    Cluster,
    ClusterCommonLbConfig,
    ClusterDiscoveryType,
    ClusterEdsClusterConfig,
    ClusterLbPolicy,
    OutlierDetection,
)
from envoy_data_plane.envoy.config.core.v3 import (
    AggregatedConfigSource,
    ApiVersion,
    ConfigSource,
    Http1ProtocolOptions,
    Http2ProtocolOptions,
    KeepaliveSettings,
)
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment
from envoy_data_plane.envoy.extensions.upstreams.http.v3 import (
    HttpProtocolOptions,
    HttpProtocolOptionsExplicitHttpConfig,
)
from envoy_data_plane.envoy.type.v3 import Percent
from envoy_data_plane.google.protobuf import Any as AnyMessage

from xds.model.balancing import Balancing, Outlier
from xds.model.breaker import NO_LIMITS, Limits
from xds.model.instance import Address
from xds.model.service import Protocol, Service
from xds.wire.codec import decode, encode
from xds.wire.endpoint import cluster_load_assignment, lb_endpoint, locality_endpoints
from xds.wire.fragments import field, text
from xds.wire.packing import pack_any

from . import naming
from .metadata import metadata

BUFFER = 32 * 1024
"""Bytes that a connection may have waiting on one side, as Envoy's advice for edges has it."""
MAX_RETRIES = 1000
"""Retries in flight per cluster. Envoy's default of 3 makes retries fail the moment a host does."""
MAX_CONNECTIONS = 16_384
"""Connections per cluster, and as many requests that wait for one."""
MAX_REQUESTS = 65_536
"""Requests in flight per cluster."""
_NAME, _ALT_STAT_NAME, _METADATA = 1, 28, 25  # fields of Cluster
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

_POLICIES = {
    Balancing.ROUND_ROBIN: ClusterLbPolicy.ROUND_ROBIN,
    Balancing.LEAST_REQUEST: ClusterLbPolicy.LEAST_REQUEST,
    Balancing.RANDOM: ClusterLbPolicy.RANDOM,
    Balancing.RING_HASH: ClusterLbPolicy.RING_HASH,
    Balancing.MAGLEV: ClusterLbPolicy.MAGLEV,
}


def duration(seconds: float) -> datetime.timedelta:
    """Return a time that Envoy can tell from none: it counts milliseconds, and 0 means "no limit" or is refused."""
    return datetime.timedelta(seconds=max(seconds, 0.001) if seconds else 0)


def ads() -> ConfigSource:
    """Return the source of everything that is discovered: the one ADS stream."""
    return ConfigSource(ads=AggregatedConfigSource(), resource_api_version=ApiVersion.V3)


def cluster(service: Service, subset: str, port: str = "", limits: Limits = NO_LIMITS) -> bytes:
    """Return the encoded cluster of one subset on one port; its endpoints have the same name."""
    name = naming.cluster(service.key.name, subset, port)
    head = text(_NAME, name) + text(_ALT_STAT_NAME, naming.stat_name(name))
    facts = {"service": naming.host(service.key.name, port), "subset": subset}
    balancing, outlier = service.balancing, service.outlier
    policy = _policy(service.protocol_of(port), balancing, service.connect_timeout, limits, outlier)
    return head + field(_METADATA, metadata(facts)) + policy


def local_cluster(service: str, protocol: Protocol, app: Address) -> bytes:
    """Return the encoded cluster of the one application behind a sidecar's ingress."""
    name = naming.application(service)
    endpoints = cluster_load_assignment(name, [locality_endpoints("", "", endpoints=[lb_endpoint(app.host, app.port)])])
    message = Cluster(
        name=name,
        alt_stat_name=naming.stat_name(name),
        type=ClusterDiscoveryType.STATIC,
        load_assignment=decode(ClusterLoadAssignment, endpoints),
        connect_timeout=datetime.timedelta(seconds=1),
        per_connection_buffer_limit_bytes=BUFFER,
        circuit_breakers=_breakers(NO_LIMITS),
        typed_extension_protocol_options=_http_options(protocol),
    )
    return encode(message) + field(_METADATA, metadata({"service": service, "subset": "local"}))


@functools.lru_cache(maxsize=1024)
def _policy(
    protocol: Protocol, balancing: Balancing, connect_timeout: float, limits: Limits, outlier: Outlier | None
) -> bytes:
    """Return the fields that do not depend on the subset.

    Updates are not merged over time in Envoy: the control plane has gathered them already. A removed host goes at
    once, whatever an active health check says of it: it was drained before.
    """
    return encode(
        Cluster(
            type=ClusterDiscoveryType.EDS,
            eds_cluster_config=ClusterEdsClusterConfig(eds_config=ads()),
            connect_timeout=duration(connect_timeout),
            per_connection_buffer_limit_bytes=BUFFER,
            lb_policy=_POLICIES[balancing],
            circuit_breakers=_breakers(limits),
            outlier_detection=None if outlier is None else _outlier(outlier),
            common_lb_config=ClusterCommonLbConfig(update_merge_window=datetime.timedelta()),
            ignore_health_on_host_removal=True,
            typed_extension_protocol_options=_http_options(protocol),
        )
    )


def _breakers(limits: Limits) -> CircuitBreakers:
    thresholds = CircuitBreakersThresholds(
        max_connections=_or(limits.connections, MAX_CONNECTIONS),
        max_pending_requests=_or(limits.pending, MAX_CONNECTIONS),
        max_requests=_or(limits.requests, MAX_REQUESTS),
        max_retries=_or(limits.retries, MAX_RETRIES),
    )
    if limits.retry_budget is not None:
        thresholds.retry_budget = CircuitBreakersThresholdsRetryBudget(
            budget_percent=Percent(value=float(limits.retry_budget))
        )
    return CircuitBreakers(thresholds=[thresholds])


def _outlier(outlier: Outlier) -> OutlierDetection:
    """Return what was asked for and no more: by default Envoy judges success rates as well."""
    return OutlierDetection(
        consecutive_5xx=outlier.consecutive_5xx,
        interval=duration(outlier.interval),
        base_ejection_time=duration(outlier.ejection),
        max_ejection_percent=outlier.max_ejected,
        enforcing_success_rate=0,
    )


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _http_options(protocol: Protocol) -> dict[str, AnyMessage]:
    if not protocol.is_http:
        return {}
    if protocol is Protocol.HTTP:
        explicit = HttpProtocolOptionsExplicitHttpConfig(http_protocol_options=Http1ProtocolOptions())
    else:
        # A peer that vanished without a word is noticed within the interval plus the timeout.
        alive = KeepaliveSettings(interval=datetime.timedelta(seconds=30), timeout=datetime.timedelta(seconds=5))
        options = Http2ProtocolOptions(connection_keepalive=alive)
        explicit = HttpProtocolOptionsExplicitHttpConfig(http2_protocol_options=options)
    return {_HTTP_OPTIONS: pack_any(HttpProtocolOptions(explicit_http_config=explicit))}
