"""The hand-written endpoint encoder against betterproto2's own."""

from __future__ import annotations

from envoy_data_plane.envoy.config.core.v3 import Address, HealthStatus, Locality, Metadata, SocketAddress
from envoy_data_plane.envoy.config.endpoint.v3 import (
    ClusterLoadAssignment,
    ClusterLoadAssignmentPolicy,
    Endpoint,
    LbEndpoint,
    LocalityLbEndpoints,
)
from envoy_data_plane.google.protobuf import Struct, Value
from hypothesis import given
from hypothesis import strategies as st

from xds.wire.endpoint import cluster_load_assignment, lb_endpoint, locality_endpoints

texts = st.text(max_size=20) | st.sampled_from(["10.0.0.1", "2001:db8::1", "x" * 130, "ä" * 2000])
weights = st.integers(0, 2**32 - 1) | st.sampled_from([0, 1, 127, 128, 2047, 2048])


@given(
    address=texts,
    port=st.integers(0, 65535),
    hostname=texts,
    health=st.sampled_from(list(HealthStatus)),
    weight=weights,
    metadata=st.dictionaries(texts, texts, max_size=3),
)
def test_an_endpoint_written_by_hand_is_the_endpoint_that_betterproto_writes(
    address: str, port: int, hostname: str, health: HealthStatus, weight: int, metadata: dict[str, str]
) -> None:
    struct = Struct(fields={key: Value(string_value=value) for key, value in metadata.items()})
    message = LbEndpoint(
        endpoint=Endpoint(
            address=Address(socket_address=SocketAddress(address=address, port_value=port)), hostname=hostname
        ),
        health_status=health,
        metadata=Metadata(filter_metadata={"fairlead": struct}) if metadata else None,
        load_balancing_weight=weight or None,
    )
    written = lb_endpoint(address, port, hostname=hostname, health=health, weight=weight, metadata=metadata)
    assert written == bytes(message)


@given(
    name=texts,
    region=texts,
    zone=texts,
    weight=weights,
    priority=st.integers(0, 128),
    ports=st.lists(st.integers(1, 65535), max_size=4),
    overprovisioning=st.sampled_from([0, 100, 140, 100_000]),
)
def test_an_assignment_joined_from_fragments_is_the_one_that_betterproto_writes(
    name: str, region: str, zone: str, weight: int, priority: int, ports: list[int], overprovisioning: int
) -> None:
    def endpoint(port: int) -> LbEndpoint:
        return LbEndpoint(
            endpoint=Endpoint(address=Address(socket_address=SocketAddress(address="::1", port_value=port)))
        )

    message = ClusterLoadAssignment(
        cluster_name=name,
        endpoints=[
            LocalityLbEndpoints(
                locality=Locality(region=region, zone=zone) if region or zone else None,
                lb_endpoints=[endpoint(port) for port in ports],
                load_balancing_weight=weight or None,
                priority=priority,
            )
        ],
        policy=ClusterLoadAssignmentPolicy(overprovisioning_factor=overprovisioning) if overprovisioning else None,
    )
    fragments = [lb_endpoint("::1", port) for port in ports]
    locality = locality_endpoints(region, zone, weight=weight, priority=priority, endpoints=fragments)
    assert cluster_load_assignment(name, [locality], overprovisioning_percent=overprovisioning) == bytes(message)
