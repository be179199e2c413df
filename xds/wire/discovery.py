"""Discovery requests and responses: requests become messages, responses are joins of ready bytes.

A resource keeps its response field encoded for both protocols (`resource_field`, `delta_resource_field`), so that a
response costs one join however large its resources are, and streams with equal subscriptions share the body.
Knows nothing of subscriptions, versions or nonces beyond their place in the message.
"""

from __future__ import annotations

from collections.abc import Iterable

from envoy_data_plane.envoy.service.discovery.v3 import DeltaDiscoveryRequest, DiscoveryRequest, DiscoveryResponse

from .codec import decode
from .fragments import field, text

MAX_REQUEST = 4 * 1024 * 1024
"""Bytes that a request may have: gRPC's own default for a received message, some 40,000 resource names."""


def decode_request(data: bytes, *, max_size: int = MAX_REQUEST) -> DiscoveryRequest:
    """Return the state-of-the-world request in `data`; raise `DecodeError` if it is malformed or too long."""
    return decode(DiscoveryRequest, data, max_size=max_size)


def decode_delta_request(data: bytes, *, max_size: int = MAX_REQUEST) -> DeltaDiscoveryRequest:
    """Return the delta request in `data`; raise `DecodeError` if it is malformed or too long."""
    return decode(DeltaDiscoveryRequest, data, max_size=max_size)


def resource_field(any_bytes: bytes) -> bytes:
    """Return the entry of DiscoveryResponse.resources for an encoded Any."""
    return field(2, any_bytes)


def resource_value(field: bytes) -> bytes:
    """Return the encoded message in a result of `resource_field`."""
    (packed,) = decode(DiscoveryResponse, field, max_size=len(field)).resources
    return packed.value


def delta_resource_field(name: str, version: str, any_bytes: bytes) -> bytes:
    """Return the entry of DeltaDiscoveryResponse.resources for an encoded Any, with its name and version."""
    return field(2, b"".join((text(3, name), text(1, version), field(2, any_bytes))))


def response(version_info: str, resource_fields: Iterable[bytes], type_url: str, nonce: str) -> bytes:
    """Return an encoded DiscoveryResponse; `resource_fields` are results of `resource_field`."""
    return b"".join((text(1, version_info), *resource_fields, text(4, type_url), text(5, nonce)))


def delta_response(
    system_version_info: str,
    resource_fields: Iterable[bytes],
    removed_names: Iterable[str],
    type_url: str,
    nonce: str,
) -> bytes:
    """Return an encoded DeltaDiscoveryResponse; `resource_fields` are results of `delta_resource_field`."""
    removed = (field(6, name.encode()) for name in removed_names)
    head = text(1, system_version_info)
    return b"".join((head, *resource_fields, text(4, type_url), *removed, text(5, nonce)))
