"""The discovery services of xDS by name: the aggregated one, and one for each type (service/*/v3/*.proto).

A stream of a service for one type may leave out the type URL, and may name no other.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from xds.wire.types import ResourceType


class Service(NamedTuple):
    """One gRPC service: its type (None: all of them), and the names of its methods; "" where it has none."""

    name: str
    type: ResourceType | None
    state: str
    delta: str


SERVICES: Final = (
    Service(
        "envoy.service.discovery.v3.AggregatedDiscoveryService",
        None,
        "StreamAggregatedResources",
        "DeltaAggregatedResources",
    ),
    Service(
        "envoy.service.cluster.v3.ClusterDiscoveryService", ResourceType.CLUSTER, "StreamClusters", "DeltaClusters"
    ),
    Service(
        "envoy.service.endpoint.v3.EndpointDiscoveryService",
        ResourceType.ENDPOINT,
        "StreamEndpoints",
        "DeltaEndpoints",
    ),
    Service(
        "envoy.service.listener.v3.ListenerDiscoveryService",
        ResourceType.LISTENER,
        "StreamListeners",
        "DeltaListeners",
    ),
    Service("envoy.service.route.v3.RouteDiscoveryService", ResourceType.ROUTE, "StreamRoutes", "DeltaRoutes"),
    Service("envoy.service.route.v3.VirtualHostDiscoveryService", ResourceType.VIRTUAL_HOST, "", "DeltaVirtualHosts"),
    Service(
        "envoy.service.extension.v3.ExtensionConfigDiscoveryService",
        ResourceType.EXTENSION,
        "StreamExtensionConfigs",
        "DeltaExtensionConfigs",
    ),
    Service("envoy.service.secret.v3.SecretDiscoveryService", ResourceType.SECRET, "StreamSecrets", "DeltaSecrets"),
    Service("envoy.service.runtime.v3.RuntimeDiscoveryService", ResourceType.RUNTIME, "StreamRuntime", "DeltaRuntime"),
)

CLIENT_STATUS: Final = "envoy.service.status.v3.ClientStatusDiscoveryService"
"""Beside them: how the nodes stand to what they asked for (csds.proto)."""
