"""Bytes of a discovery request to the values that protocol and roster understand.

All that is wrong in them is the client's.
"""

from __future__ import annotations

from typing import Final

from envoy_data_plane.envoy.config.core.v3 import Node as WireNode
from envoy_data_plane.google.protobuf import Struct, Value
from envoy_data_plane.google.rpc import Status

from xds.cache.typestate import Node
from xds.model.problems import PeerError
from xds.protocol.requests import DeltaRequest, StateRequest
from xds.wire.errors import DecodeError
from xds.wire.names import TooManyNames
from xds.wire.requests import Request, RequestReader
from xds.wire.types import ResourceType, UnknownTypeUrl

from .limits import LimitReached

DEEPEST: Final = 32
"""Levels of nesting that node metadata may have; nothing of ours has more than three."""


def read_request(reader: RequestReader, data: bytes) -> Request:
    """Return the request; PeerError if it makes no sense, LimitReached if it names too much."""
    try:
        return reader.read(data)
    except DecodeError as error:
        raise PeerError(f"not a discovery request: {error}") from error
    except TooManyNames as error:
        raise LimitReached(str(error), "names") from error


def state_request(request: Request, only: ResourceType | None, max_error: int) -> StateRequest:
    """Return a DiscoveryRequest as the protocol takes it, on a stream for `only` this type, or for all (None)."""
    error = _words(request.error, max_error)
    return StateRequest(_type(request.type_url, only), request.names, request.version, request.nonce, error)


def delta_request(request: Request, only: ResourceType | None, max_error: int) -> DeltaRequest:
    """Return a DeltaDiscoveryRequest as the protocol takes it, on a stream for `only` this type, or for all (None)."""
    error = _words(request.error, max_error)
    type_ = _type(request.type_url, only)
    return DeltaRequest(type_, request.names, request.dropped, request.initial, request.nonce, error)


def node_of(wire: WireNode | None, peer: str) -> Node:
    """Return the client as it introduces itself.

    PeerError without a node id, which everything known of it hangs on.
    """
    if wire is None or not wire.id:
        raise PeerError("the first request of a stream must carry a node with an id (node.id in Envoy's bootstrap)")
    metadata = {} if wire.metadata is None else _struct(wire.metadata, 0)
    return Node(wire.id, wire.cluster, _version(wire), metadata, peer, frozenset(wire.client_features))


def _type(url: str, only: ResourceType | None) -> ResourceType:
    if only is not None and url in {"", only.url}:
        return only
    if not url:
        raise PeerError("a request on an aggregated stream must name its type_url")
    try:
        found = ResourceType.from_url(url)
    except UnknownTypeUrl as error:
        raise PeerError(str(error)) from error
    if only is not None:
        raise PeerError(f"this stream is for {only.url}, the request asks for {url}")
    return found


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
