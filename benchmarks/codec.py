"""The compiled codec against betterproto2's own and google.protobuf's C runtime, on 1,000 endpoints.

Run as `python -m benchmarks.codec`. Ratios: `encode_speedup` and `decode_speedup` over betterproto2 (above 1 is
faster), `encode_vs_upb` and `decode_vs_upb` our time as a multiple of the C runtime's, `lb_endpoint_us` microseconds
for one endpoint written by hand, with a hostname and one metadata entry (`lb_endpoint_plain_us`: with neither).
"""

from __future__ import annotations

from envoy_data_plane.envoy.config.core.v3 import Address, HealthStatus, Locality, Metadata, Node, SocketAddress
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints
from envoy_data_plane.envoy.service.discovery.v3 import DiscoveryRequest
from envoy_data_plane.google.protobuf import Struct, Value
from google.protobuf.internal import api_implementation  # type: ignore[import-untyped]  # ships no stubs

from benchmarks.descriptors import runtime_class
from benchmarks.record import median_seconds, record
from xds.wire.codec import decode, encode
from xds.wire.endpoint import lb_endpoint
from xds.wire.requests import RequestReader

ENDPOINTS = 1000
NAMES = 100


def _address(number: int) -> str:
    return f"10.0.{number >> 8}.{number & 255}"


def _endpoint(number: int) -> LbEndpoint:
    address = Address(socket_address=SocketAddress(address=_address(number), port_value=8080))
    return LbEndpoint(
        endpoint=Endpoint(address=address, hostname=f"checkout-{number}"),
        health_status=HealthStatus.HEALTHY,
        load_balancing_weight=1 + number % 100,
        metadata=Metadata(
            filter_metadata={"fairlead": Struct(fields={"id": Value(string_value=f"checkout-{number}")})}
        ),
    )


def _assignment() -> ClusterLoadAssignment:
    locality = LocalityLbEndpoints(
        locality=Locality(region="eu", zone="eu-1"), lb_endpoints=[_endpoint(number) for number in range(ENDPOINTS)]
    )
    return ClusterLoadAssignment(cluster_name="checkout/2.4.1", endpoints=[locality])


_ARGUMENTS = [(_address(number), f"checkout-{number}", 1 + number % 100) for number in range(ENDPOINTS)]


def _by_hand() -> list[bytes]:
    return [
        lb_endpoint(address, 8080, hostname=name, health=1, weight=weight, metadata={"id": name})
        for address, name, weight in _ARGUMENTS
    ]


def _plain_by_hand() -> None:
    for _ in range(ENDPOINTS):
        lb_endpoint("10.0.1.17", 8080, health=1, weight=17)


def main() -> None:
    """Measure and write the result."""
    if api_implementation.Type() != "upb":
        raise SystemExit(f"google.protobuf runs on {api_implementation.Type()}, not on its C runtime")
    assignment = _assignment()
    encoded = bytes(assignment)
    request = bytes(
        DiscoveryRequest(
            version_info="0123456789abcdef",
            node=Node(id="gateway-1", cluster="gateway"),
            resource_names=[f"checkout/2.4.{number}" for number in range(NAMES)],
            type_url="type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
        )
    )
    upb = runtime_class(ClusterLoadAssignment)
    upb_message = upb.FromString(encoded)
    if not encode(assignment) == encoded == encode(decode(ClusterLoadAssignment, encoded)):
        raise SystemExit("the codecs do not agree")
    if len(upb_message.SerializeToString()) != len(encoded):
        raise SystemExit("the C runtime does not agree")

    ms = {
        "build_ms": median_seconds(_assignment, repeat=5),
        "betterproto_encode_ms": median_seconds(lambda: bytes(assignment), repeat=5),
        "compiled_encode_ms": median_seconds(lambda: encode(assignment), repeat=31),
        "upb_encode_ms": median_seconds(upb_message.SerializeToString, repeat=101),
        "betterproto_decode_ms": median_seconds(lambda: ClusterLoadAssignment.parse(encoded), repeat=5),
        "compiled_decode_ms": median_seconds(lambda: decode(ClusterLoadAssignment, encoded), repeat=31),
        "upb_decode_ms": median_seconds(lambda: upb.FromString(encoded), repeat=101),
        "betterproto_request_ms": median_seconds(lambda: DiscoveryRequest.parse(request), repeat=51),
        "compiled_request_ms": median_seconds(lambda: RequestReader(delta=False).read(request), repeat=201),
        "lb_endpoints_by_hand_ms": median_seconds(_by_hand, repeat=15),
        "lb_endpoints_plain_ms": median_seconds(_plain_by_hand, repeat=15),
    }
    figures = {name: seconds * 1000 for name, seconds in ms.items()}
    record(
        "codec",
        {**figures, "message_bytes": len(encoded)},
        {
            "encode_speedup": ms["betterproto_encode_ms"] / ms["compiled_encode_ms"],
            "decode_speedup": ms["betterproto_decode_ms"] / ms["compiled_decode_ms"],
            "request_speedup": ms["betterproto_request_ms"] / ms["compiled_request_ms"],
            "encode_vs_upb": ms["compiled_encode_ms"] / ms["upb_encode_ms"],
            "decode_vs_upb": ms["compiled_decode_ms"] / ms["upb_decode_ms"],
            "lb_endpoint_us": figures["lb_endpoints_by_hand_ms"] * 1000 / ENDPOINTS,
            "lb_endpoint_plain_us": figures["lb_endpoints_plain_ms"] * 1000 / ENDPOINTS,
        },
    )


if __name__ == "__main__":
    main()
