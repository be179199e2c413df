"""The response that a local reply becomes, as Envoy writes it: HTTP, or gRPC where the request was gRPC."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote_from_bytes

from xds.proxywasm.contexts import LocalReply
from xds.proxywasm.pairs import Pairs
from xds.proxywasm.properties import value_of

_GRPC: Final = b"application/grpc"
_UNKNOWN: Final = 2
_GRPC_STATUS: Final = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}
"""gRPC's own table of what an HTTP status means to its clients."""


def is_grpc(request: Pairs) -> bool:
    """Whether the client speaks gRPC, and so would not understand a plain answer."""
    kind = value_of(request, b"content-type") or b""
    return kind == _GRPC or kind.startswith((_GRPC + b"+", _GRPC + b";"))


def headers_of(answer: LocalReply, *, grpc: bool) -> tuple[Pairs, bytes]:
    """Headers and body of the response. Names are in lower case."""
    more = [(name.lower(), value) for name, value in answer.headers]
    if grpc:
        status = answer.grpc_status
        if status is None:
            status = _GRPC_STATUS.get(answer.status, _UNKNOWN)
        headers = [(b":status", b"200"), *more, (b"content-type", _GRPC), (b"grpc-status", b"%d" % status)]
        if answer.body:
            headers.append((b"grpc-message", quote_from_bytes(answer.body, safe=" !#$&'()*+,/:;=?@[]").encode()))
        return headers, b""
    headers = [(b":status", b"%d" % answer.status), *more]
    if answer.body:
        headers = [pair for pair in headers if pair[0] != b"content-length"]
        headers.append((b"content-length", b"%d" % len(answer.body)))
        if value_of(headers, b"content-type") is None:
            headers.append((b"content-type", b"text/plain"))
    return headers, answer.body
