"""Bytes of a discovery request to the values that protocol and roster understand.

All that is wrong in them is the client's.
"""

from __future__ import annotations

from xds.cache.typestate import Node
from xds.model.problems import PeerError
from xds.protocol.requests import DeltaRequest, StateRequest
from xds.wire.errors import DecodeError
from xds.wire.introduction import Introduction
from xds.wire.names import TooManyNames
from xds.wire.requests import Request, RequestReader
from xds.wire.types import ResourceType, UnknownTypeUrl

from .limits import LimitReached


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


def node_of(said: Introduction | None, peer: str) -> Node:
    """Return the client as it introduces itself.

    PeerError without a node id, which everything known of it hangs on.
    """
    if said is None or not said.id:
        raise PeerError("the first request of a stream must carry a node with an id (node.id in Envoy's bootstrap)")
    return Node(said.id, said.cluster, said.agent, said.metadata, peer, said.features)


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


def _words(error: str | None, longest: int) -> str | None:
    """Return the client's refusal, cut; None if it does not refuse. An empty error is one, too (rule 1)."""
    return None if error is None else error[:longest]
