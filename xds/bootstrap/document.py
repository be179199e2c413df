"""The bootstrap document: a spec in, the dict that Envoy, or gRPC itself, reads out.

Pure. What each part is for stands beside it; what was measured on Envoy 1.40 is in envoy/README.md.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Final

from xds.bootstrap.spec import BootstrapSpec
from xds.model.instance import Address
from xds.model.node import Role
from xds.model.problems import InvalidInput

VERSION: Final = 3
"""Counts changes to this document that a running Envoy would need a restart for; in the node's metadata."""

XDS_CLUSTER: Final = "fairlead-xds"
RUNTIME: Final = "fairlead"

Document = dict[str, object]

_VALIDATOR: Final = (
    "type.googleapis.com/envoy.extensions.config.validators.minimum_clusters.v3.MinimumClustersValidator"
)
_HTTP: Final = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_SINK: Final = "type.googleapis.com/envoy.config.metrics.v3.MetricsServiceConfig"
_CONNECTIONS: Final = (
    "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
)


def bootstrap(spec: BootstrapSpec) -> Document:
    """Return the bootstrap of one client; InvalidInput for a port that is still 0."""
    for name, address in spec.binds.items():
        if not address.port:
            raise InvalidInput(f"no port was allocated for {name}", pointer=f"/{name}")
    if spec.role is Role.GRPC:
        return _for_grpc(spec)
    return {
        "node": _node(spec),
        "admin": {"address": _socket(spec.admin), "ignore_global_conn_limit": True},
        "dynamic_resources": _dynamic(spec),
        "static_resources": {"clusters": [_xds_cluster(spec)]},
        "layered_runtime": {"layers": _runtime(spec)},
        "stats_config": {"stats_tags": STATS_TAGS, "histogram_bucket_settings": [_BUCKETS]},
        "overload_manager": _overload(spec),
        **(_reports(spec) if spec.reports else {}),
    }


def _for_grpc(spec: BootstrapSpec) -> Document:
    """Return what a gRPC program finds under GRPC_XDS_BOOTSTRAP or GRPC_XDS_BOOTSTRAP_CONFIG (gRPC proposal A27)."""
    server = {
        "server_uri": str(spec.ads),
        "channel_creds": [{"type": "insecure"}],
        "server_features": ["xds_v3"],
    }
    return {"xds_servers": [server], "node": _node(spec)}


def _node(spec: BootstrapSpec) -> Document:
    locality = {name: value for name, value in (("region", spec.region), ("zone", spec.zone)) if value}
    return {
        "id": spec.node_id,
        "cluster": spec.gateway or spec.service or ("grpc" if spec.role is Role.GRPC else "egress"),
        **({"locality": locality} if locality else {}),
        "metadata": {"fairlead": {**spec.metadata, "bootstrap": VERSION}},
    }


def _dynamic(spec: BootstrapSpec) -> Document:
    """ADS by delta: a control plane that comes back after a restart sends only what differs.

    (SotW was measured to answer 4 s of 503 where a cluster was replaced while the control plane was away; delta, none.)
    """
    by_ads = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "15s"}
    return {
        "ads_config": {
            "api_type": "DELTA_GRPC",
            "transport_api_version": "V3",
            "set_node_on_first_message_only": True,
            "grpc_services": [_grpc(spec, back_off={"base_interval": "0.5s", "max_interval": "10s"})],
            # The last line of defence against an emptied mesh: an Envoy that has clusters refuses to lose all of them.
            # More than one would refuse legitimate shrinking.
            "config_validators": [
                {
                    "name": "envoy.config.validators.minimum_clusters",
                    "typed_config": {"@type": _VALIDATOR, "min_clusters_num": 1},
                }
            ],
        },
        "cds_config": dict(by_ads),
        "lds_config": dict(by_ads),
    }


def _grpc(spec: BootstrapSpec, *, back_off: Mapping[str, str] | None = None) -> Document:
    service: Document = {"cluster_name": XDS_CLUSTER}
    if back_off:
        service["retry_policy"] = {"retry_back_off": dict(back_off)}
    metadata = [{"key": "authorization", "value": f"Bearer {spec.token}"}] if spec.token else []
    return {"envoy_grpc": service, **({"initial_metadata": metadata} if metadata else {})}


def _xds_cluster(spec: BootstrapSpec) -> Document:
    """The control plane as a cluster. Keepalive finds a half-open connection in 40 s; TCP alone needs minutes."""
    return {
        "name": XDS_CLUSTER,
        "type": "STATIC" if _is_ip(spec.ads.host) else "STRICT_DNS",
        "connect_timeout": "2s",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": _HTTP,
                "explicit_http_config": {
                    "http2_protocol_options": {"connection_keepalive": {"interval": "30s", "timeout": "10s"}}
                },
            }
        },
        "load_assignment": {
            "cluster_name": XDS_CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _socket(spec.ads)}}]}],
        },
    }


def _runtime(spec: BootstrapSpec) -> list[Document]:
    """Runtime by xDS is in place so that a later release can turn a knob without restarting Envoys.

    Envoy waits for it before anything else, so its patience is short; our control plane answers at once that it has
    none.
    """
    by_xds: Document = {
        "name": "xds",
        "rtds_layer": {
            "name": RUNTIME,
            "rtds_config": {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "1s"},
        },
    }
    return [*([by_xds] if spec.reports else []), {"name": "admin", "admin_layer": {}}]


def _reports(spec: BootstrapSpec) -> Document:
    """Load reports and metrics: how much traffic each endpoint had, how it was answered and how long that took.

    Counters as deltas, so that a control plane that was away adds nothing twice. Histograms without the summaries that
    nobody can add up, and few metrics a message: all at once, those of a thousand clusters are more than the 4 MiB that
    gRPC takes.
    """
    return {
        "cluster_manager": {
            "load_stats_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [_grpc(spec)],
            }
        },
        "stats_flush_interval": "10s",
        "stats_sinks": [
            {
                "name": "envoy.stat_sinks.metrics_service",
                "typed_config": {
                    "@type": _SINK,
                    "transport_api_version": "V3",
                    "grpc_service": _grpc(spec),
                    "report_counters_as_deltas": True,
                    "emit_tags_as_labels": True,
                    "histogram_emit_mode": "HISTOGRAM",
                    "batch_size": 200,
                },
            }
        ],
    }


# `cluster.<service>/<subset>.…` (no dots inside: alt_stat_name) becomes two tags; Envoy's own tags take the rest.
# The breakers' metrics come out of the filter as `fairlead_breaker_state;service=web;cluster=web/v2;`.
# The first group is cut out of the statistic's name, the second is the tag's value.
STATS_TAGS: Final[list[Document]] = [
    {"tag_name": "fairlead.service", "regex": r"^cluster\.(([^./]+)/[^.]+\.)"},
    {"tag_name": "fairlead.subset", "regex": r"^cluster\.([^./]+/([^.]+)\.)"},
    {"tag_name": "service", "regex": r"^wasmcustom\.fairlead_breaker_[a-z_]+(;service=([^;]*))"},
    {"tag_name": "cluster", "regex": r"^wasmcustom\.fairlead_breaker_[^;]+;[^;]*(;cluster=([^;]*);)"},
]


# Milliseconds, each bound at most twice the one before up to 10 s: a P99 is read from these buckets, and Envoy's own
# leave 100 to 250 ms, or 500 to 1,000, as one.
_BUCKETS: Final[Document] = {
    "match": {"safe_regex": {"regex": r"cluster\.[^.]+\.upstream_rq_time"}},
    "buckets": [
        *(1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700),
        *(1000, 1500, 2000, 3000, 5000, 7000, 10_000, 30_000, 60_000),
    ],
}


def _overload(spec: BootstrapSpec) -> Document:
    """A bound on open connections, so that a flood costs connections and not the process's memory and files."""
    return {
        "resource_monitors": [
            {
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": {
                    "@type": _CONNECTIONS,
                    "max_active_downstream_connections": spec.max_connections,
                },
            }
        ]
    }


def _socket(address: Address) -> Document:
    return {"socket_address": {"address": address.host, "port_value": address.port}}


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
