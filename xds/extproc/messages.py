"""ProcessingRequests as values, and the answers to them as bytes.

After envoy/service/ext_proc/v3/external_processor.proto. Attributes are what `request_attributes` and
`response_attributes` of Envoy's filter ask for; Envoy sends a number as a double and a message as its debug text.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from envoy_data_plane.envoy.config.core.v3 import HeaderMap, HeaderValue, HeaderValueOption
from envoy_data_plane.envoy.config.core.v3 import HeaderValueOptionHeaderAppendAction as Append
from envoy_data_plane.envoy.service.ext_proc.v3 import (
    BodyResponse,
    CommonResponse,
    GrpcStatus,
    HeaderMutation,
    HeadersResponse,
    ImmediateResponse,
    ProcessingRequest,
    ProcessingResponse,
    TrailersResponse,
)
from envoy_data_plane.envoy.type.v3 import HttpStatus, StatusCode

from xds.extproc.text_format import BadText, filter_metadata
from xds.model.problems import PeerError
from xds.proxywasm.contexts import LocalReply
from xds.proxywasm.pairs import Pairs
from xds.proxywasm.properties import encoded, path
from xds.translate.metadata import metadata
from xds.wire.codec import decode, encode
from xds.wire.errors import DecodeError
from xds.wire.filter_schema import METADATA_NAMESPACE

_log = logging.getLogger("xds.extproc")

ROUTE_METADATA: Final = "xds.route_metadata"
KEPT_TEXTS: Final = 1_024
"""Different route metadata that are kept parsed; one for each route."""


class Part(Enum):
    """What of a request or its response a message is about."""

    REQUEST_HEADERS = "request_headers"
    RESPONSE_HEADERS = "response_headers"
    REQUEST_BODY = "request_body"
    RESPONSE_BODY = "response_body"
    REQUEST_TRAILERS = "request_trailers"
    RESPONSE_TRAILERS = "response_trailers"


@dataclass(frozen=True, slots=True)
class Arrived:
    """One message. `pairs` are headers or trailers in order; `properties` are encoded as the filter wants them."""

    part: Part
    pairs: Pairs
    end: bool
    properties: Mapping[bytes, bytes]


def read(data: bytes) -> Arrived:
    """Return the message; PeerError for what is none."""
    try:
        message = decode(ProcessingRequest, data)
    except DecodeError as error:
        raise PeerError(f"not a ProcessingRequest: {error}") from error
    properties = _properties(message)
    for part in (Part.REQUEST_HEADERS, Part.RESPONSE_HEADERS):
        headers = getattr(message, part.value)
        if headers is not None:
            return Arrived(part, _pairs(headers.headers), headers.end_of_stream, properties)
    for part in (Part.REQUEST_TRAILERS, Part.RESPONSE_TRAILERS):
        trailers = getattr(message, part.value)
        if trailers is not None:
            return Arrived(part, _pairs(trailers.trailers), True, properties)
    for part in (Part.REQUEST_BODY, Part.RESPONSE_BODY):
        body = getattr(message, part.value)
        if body is not None:
            return Arrived(part, [], body.end_of_stream, properties)
    raise PeerError("a ProcessingRequest about nothing")


def _pairs(headers: HeaderMap | None) -> Pairs:
    return [(each.key.encode(), each.raw_value or each.value.encode()) for each in headers.headers] if headers else []


def _properties(message: ProcessingRequest) -> dict[bytes, bytes]:
    """Return the attributes of all filters that tell any, by path."""
    properties: dict[bytes, bytes] = {}
    for attributes in message.attributes.values():
        for name, value in attributes.fields.items():
            if name == ROUTE_METADATA:
                properties[path(name)] = route_metadata(value.string_value or "")
            elif value.string_value is not None:
                properties[path(name)] = value.string_value.encode()
            elif value.bool_value is not None:
                properties[path(name)] = encoded(value.bool_value)
            elif value.number_value is not None:
                properties[path(name)] = encoded(int(value.number_value))
    return properties


@functools.lru_cache(KEPT_TEXTS)
def route_metadata(text: str) -> bytes:
    """Return the filter's part of a route's metadata, encoded; nothing, and a warning, where it cannot be read."""
    try:
        facts = filter_metadata(text).get(METADATA_NAMESPACE)
    except BadText as error:
        _log.warning("route metadata cannot be read, so its requests go without: %s", error)
        return b""
    return metadata(facts) if isinstance(facts, dict) else b""


def go_on(part: Part, before: Pairs, after: Pairs, *, clear_route: bool) -> bytes:
    """Return the answer that lets a part go on, with what the filter changed of its headers or trailers."""
    change = mutation(before, after)
    match part:
        case Part.REQUEST_HEADERS:
            common = CommonResponse(header_mutation=change, clear_route_cache=clear_route)
            return encode(ProcessingResponse(request_headers=HeadersResponse(response=common)))
        case Part.RESPONSE_HEADERS:
            common = CommonResponse(header_mutation=change)
            return encode(ProcessingResponse(response_headers=HeadersResponse(response=common)))
        case Part.REQUEST_TRAILERS:
            return encode(ProcessingResponse(request_trailers=TrailersResponse(header_mutation=change)))
        case Part.RESPONSE_TRAILERS:
            return encode(ProcessingResponse(response_trailers=TrailersResponse(header_mutation=change)))
        case Part.REQUEST_BODY:
            return encode(ProcessingResponse(request_body=BodyResponse(response=CommonResponse())))
        case Part.RESPONSE_BODY:
            return encode(ProcessingResponse(response_body=BodyResponse(response=CommonResponse())))


def answer_instead(reply: LocalReply) -> bytes:
    """Return the answer that ends a request with the filter's own response."""
    response = ImmediateResponse(
        status=HttpStatus(code=StatusCode(reply.status)),
        headers=HeaderMutation(
            set_headers=[_option(*pair, Append.OVERWRITE_IF_EXISTS_OR_ADD) for pair in reply.headers]
        ),
        body=reply.body,
        details=reply.details,
    )
    if reply.grpc_status is not None:
        response.grpc_status = GrpcStatus(status=reply.grpc_status)
    return encode(ProcessingResponse(immediate_response=response))


def mutation(before: Sequence[tuple[bytes, bytes]], after: Sequence[tuple[bytes, bytes]]) -> HeaderMutation | None:
    """Return what makes `after` of `before`, None for nothing. Values of a name keep their order; names do not."""
    if before == after:
        return None
    old, new = _by_name(before), _by_name(after)
    options = []
    for name, values in new.items():
        if values != old.get(name):
            actions = [Append.OVERWRITE_IF_EXISTS_OR_ADD, *[Append.APPEND_IF_EXISTS_OR_ADD] * (len(values) - 1)]
            options += [_option(name, value, action) for value, action in zip(values, actions, strict=True)]
    return HeaderMutation(set_headers=options, remove_headers=[name.decode() for name in old if name not in new])


def _by_name(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _option(name: bytes, value: bytes, action: Append) -> HeaderValueOption:
    return HeaderValueOption(header=HeaderValue(key=name.decode("latin-1"), raw_value=value), append_action=action)
