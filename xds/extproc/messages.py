"""Answers to ProcessingRequests, as bytes (envoy/service/ext_proc/v3/external_processor.proto)."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Final, TypeAlias

from envoy_data_plane.envoy.config.core.v3 import HeaderValue, HeaderValueOption
from envoy_data_plane.envoy.config.core.v3 import HeaderValueOptionHeaderAppendAction as Append
from envoy_data_plane.envoy.service.ext_proc.v3 import (
    BodyResponse,
    CommonResponse,
    GrpcStatus,
    HeaderMutation,
    HeadersResponse,
    ImmediateResponse,
    ProcessingResponse,
    TrailersResponse,
)
from envoy_data_plane.envoy.type.v3 import HttpStatus, StatusCode

from xds.extproc.reading import Part
from xds.proxywasm.contexts import LocalReply
from xds.proxywasm.pairs import Pairs
from xds.wire.codec import encode

KEPT_ANSWERS: Final = 16_384
"""Different answers that are kept encoded: one for each bucket, and a few."""

Values: TypeAlias = "tuple[bytes, tuple[bytes, ...]]"
"""A header's name and its values in order."""


def go_on(part: Part, before: Pairs, after: Pairs, *, clear_route: bool) -> bytes:
    """Return the answer that lets a part go on, with what the filter changed of its headers or trailers."""
    if before == after:
        return _answer(part, (), (), clear_route)
    old, new = _by_name(before), _by_name(after)
    changed = tuple((name, tuple(values)) for name, values in new.items() if values != old.get(name))
    return _answer(part, changed, tuple(name for name in old if name not in new), clear_route)


@functools.lru_cache(KEPT_ANSWERS)
def _answer(part: Part, changed: tuple[Values, ...], removed: tuple[bytes, ...], clear_route: bool) -> bytes:
    """Encode an answer, once: there are as many as buckets, and a message costs more than all the rest of a request."""
    mutation = _mutation(changed, removed) if changed or removed else None
    match part:
        case Part.REQUEST_HEADERS:
            common = CommonResponse(header_mutation=mutation, clear_route_cache=clear_route)
            return encode(ProcessingResponse(request_headers=HeadersResponse(response=common)))
        case Part.RESPONSE_HEADERS:
            common = CommonResponse(header_mutation=mutation)
            return encode(ProcessingResponse(response_headers=HeadersResponse(response=common)))
        case Part.REQUEST_TRAILERS:
            return encode(ProcessingResponse(request_trailers=TrailersResponse(header_mutation=mutation)))
        case Part.RESPONSE_TRAILERS:
            return encode(ProcessingResponse(response_trailers=TrailersResponse(header_mutation=mutation)))
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


def _mutation(changed: Iterable[Values], removed: Iterable[bytes]) -> HeaderMutation:
    """Values of a name keep their order; names do not."""
    options = []
    for name, values in changed:
        actions = [Append.OVERWRITE_IF_EXISTS_OR_ADD, *[Append.APPEND_IF_EXISTS_OR_ADD] * (len(values) - 1)]
        options += [_option(name, value, action) for value, action in zip(values, actions, strict=True)]
    return HeaderMutation(set_headers=options, remove_headers=[name.decode("latin-1") for name in removed])


def _by_name(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _option(name: bytes, value: bytes, action: Append) -> HeaderValueOption:
    return HeaderValueOption(header=HeaderValue(key=name.decode("latin-1"), raw_value=value), append_action=action)
