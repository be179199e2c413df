"""Calls that a guest makes to other services, as a client outside sees them.

A client is an argument: this host opens no connection of its own. It is given a call, may refuse it at once by raising
NoSuchUpstream, and answers whenever it likes, also before it returns; the guest hears of it when it is not running. A
call that is over (answered, timed out, cancelled, its plugin gone) ignores what comes later.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from xds.proxywasm.pairs import Pairs


class NoSuchUpstream(Exception):
    """The client knows no upstream of that name; the guest sees BAD_ARGUMENT."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What `proxy_http_call` asks for. `upstream` is a cluster's name in Envoy; 0 ms is no time limit."""

    upstream: bytes
    headers: Pairs
    body: bytes
    trailers: Pairs
    timeout_ms: int


@dataclass(frozen=True, slots=True)
class GrpcRequest:
    """What `proxy_grpc_call` and `proxy_grpc_stream` ask for.

    `upstream` is a cluster's name or a serialised GrpcService, as the guest gave it. `message` is None for a stream,
    whose messages come through `GrpcPeer.send`; `timeout_ms` is 0 there.
    """

    upstream: bytes
    service: bytes
    method: bytes
    metadata: Pairs
    message: bytes | None
    timeout_ms: int


class HttpCall(Protocol):
    """The client's end of an HTTP call."""

    def answer(self, headers: Sequence[tuple[bytes, bytes]], body: bytes = b"", trailers: Pairs | None = None) -> None:
        """The response, whole."""

    def fail(self) -> None:
        """There is none: reset, refused, broken."""


class GrpcCall(Protocol):
    """The client's end of a gRPC call or stream."""

    def initial_metadata(self, metadata: Pairs) -> None:
        """Headers of the response."""

    def message(self, content: bytes) -> None:
        """One message; the answer of a call, which ends it."""

    def trailing_metadata(self, metadata: Pairs) -> None:
        """Trailers of the response."""

    def close(self, status: int, message: str = "") -> None:
        """The end of a stream, or of a call that failed; `status` is gRPC's."""


class GrpcPeer(ABC):
    """What the guest does to a gRPC call afterwards; a client returns one."""

    @abstractmethod
    def send(self, content: bytes, end: bool) -> None:
        """One more message on a stream, the last one if `end`."""

    @abstractmethod
    def close(self) -> None:
        """The guest sends no more, and lets go of a stream; of a call, the same as `cancel`."""

    @abstractmethod
    def cancel(self) -> None:
        """The guest wants no answer any more, or its time is over."""


class HttpClient(Protocol):
    """Makes HTTP calls."""

    def __call__(self, request: HttpRequest, call: HttpCall) -> None:
        """Starts one. Raises NoSuchUpstream."""


class GrpcClient(Protocol):
    """Makes gRPC calls."""

    def __call__(self, request: GrpcRequest, call: GrpcCall) -> GrpcPeer:
        """Starts one. Raises NoSuchUpstream."""


def no_http(request: HttpRequest, call: HttpCall) -> None:  # noqa: ARG001 - a client takes both
    """A client that knows no upstream."""
    raise NoSuchUpstream(request.upstream.decode("utf-8", "replace"))


def no_grpc(request: GrpcRequest, call: GrpcCall) -> GrpcPeer:  # noqa: ARG001 - a client takes both
    """A client that knows no upstream."""
    raise NoSuchUpstream(request.upstream.decode("utf-8", "replace"))
