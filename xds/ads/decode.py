"""Bytes of a discovery request to the values that protocol and roster understand.

All that is wrong in them is the client's.
"""

from __future__ import annotations

from typing import Final

from envoy_data_plane.envoy.config.core.v3 import Node as WireNode
from envoy_data_plane.envoy.service.discovery.v3 import DeltaDiscoveryRequest, DiscoveryRequest
from envoy_data_plane.google.protobuf import Struct, Value
from envoy_data_plane.google.rpc import Status

from xds.cache.typestate import Node
from xds.model.problems import PeerError
from xds.protocol.requests import DeltaRequest, StateRequest
from xds.wire.discovery import decode_delta_request, decode_request
from xds.wire.errors import DecodeError
from xds.wire.types import ResourceType, UnknownTypeUrl

DEEPEST: Final = 32
"""Levels of nesting that node metadata may have; nothing of ours has more than three."""


def state_request(data: bytes, max_error: int) -> tuple[StateRequest, WireNode | None]:
    """Return the request, and the node if it carries one; PeerError if it makes no sense."""
    try:
        message: DiscoveryRequest = decode_request(data)
    except DecodeError as error:
        raise PeerError(f"not a DiscoveryRequest: {error}") from error
    request = StateRequest(
        _type(message.type_url),
        tuple(message.resource_names),
        message.version_info,
        message.response_nonce,
        _words(message.error_detail, max_error),
    )
    return request, message.node


def delta_request(data: bytes, max_error: int) -> tuple[DeltaRequest, WireNode | None]:
    """Return the request, and the node if it carries one; PeerError if it makes no sense."""
    try:
        message: DeltaDiscoveryRequest = decode_delta_request(data)
    except DecodeError as error:
        raise PeerError(f"not a DeltaDiscoveryRequest: {error}") from error
    request = DeltaRequest(
        _type(message.type_url),
        tuple(message.resource_names_subscribe),
        tuple(message.resource_names_unsubscribe),
        message.initial_resource_versions,
        message.response_nonce,
        _words(message.error_detail, max_error),
    )
    return request, message.node


def node_of(wire: WireNode | None, peer: str) -> Node:
    """Return the client as it introduces itself.

    PeerError without a node id, which everything known of it hangs on.
    """
    if wire is None or not wire.id:
        raise PeerError("the first request of a stream must carry a node with an id (node.id in Envoy's bootstrap)")
    metadata = {} if wire.metadata is None else _struct(wire.metadata, 0)
    return Node(wire.id, wire.cluster, _version(wire), metadata, peer)


def _type(url: str) -> ResourceType:
    if not url:
        raise PeerError("a request on an aggregated stream must name its type_url")
    try:
        return ResourceType.from_url(url)
    except UnknownTypeUrl as error:
        raise PeerError(str(error)) from error


def _words(status: Status | None, longest: int) -> str | None:
    """Return the client's refusal, cut; None if it does not refuse. An empty error is one, too (rule 1)."""
    return None if status is None else status.message[:longest]


def _version(wire: WireNode) -> str:
    """Return what the client calls itself, such as `envoy 1.40.0`."""
    build = wire.user_agent_build_version
    if build is not None and build.version is not None:
        number = f"{build.version.major_number}.{build.version.minor_number}.{build.version.patch}"
    else:
        number = wire.user_agent_version or ""
    return f"{wire.user_agent_name} {number}".strip()


def _struct(struct: Struct, depth: int) -> dict[str, object]:
    if depth >= DEEPEST:
        raise PeerError(f"node metadata is nested deeper than {DEEPEST} levels")
    return {key: _value(value, depth + 1) for key, value in struct.fields.items()}


def _value(value: Value, depth: int) -> object:
    if value.struct_value is not None:
        return _struct(value.struct_value, depth)
    if value.list_value is not None:
        if depth >= DEEPEST:
            raise PeerError(f"node metadata is nested deeper than {DEEPEST} levels")
        return [_value(item, depth + 1) for item in value.list_value.values]
    for scalar in (value.string_value, value.bool_value, value.number_value):
        if scalar is not None:
            return scalar
    return None
