"""One request through the processor, message by message, with the real filter."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from envoy_data_plane.envoy.config.core.v3 import HeaderMap, HeaderValue
from envoy_data_plane.envoy.service.ext_proc.v3 import (
    HttpBody,
    HttpHeaders,
    HttpTrailers,
    ProcessingRequest,
    ProcessingResponse,
)
from envoy_data_plane.google.protobuf import Struct, Value
from wasmtime import wat2wasm

from tests.harness.repo import ROOT
from xds.extproc.exchange import Exchange, FilterFailed
from xds.extproc.messages import read, route_metadata
from xds.model.bucket import bucket
from xds.model.problems import PeerError
from xds.proxywasm.contexts import LogLine
from xds.proxywasm.machine import Host
from xds.proxywasm.plugin import Plugin, Settings
from xds.proxywasm.stream import OnFailure
from xds.wire.codec import decode, encode

HEALTH = (ROOT / "filters/health.wasm").read_bytes()
TRAP = bytes(wat2wasm((ROOT / "tests/modules/trap.wat").read_text()))
RELOADING = Settings(on_failure=OnFailure.RELOAD)
METADATA = (
    'filter_metadata { key: "fairlead" value { fields { key: "service" value { string_value: "web" } } '
    'fields { key: "salt" value { string_value: "web" } } fields { key: "key" value { struct_value { fields { '
    'key: "header" value { string_value: "x-user" } } } } } fields { key: "split" value { list_value { values { '
    'list_value { values { string_value: "web/v1" } values { number_value: 10000 } } } } } } '
    'fields { key: "breaker" value { struct_value { fields { key: "service" value { bool_value: true } } } } } } }'
)


class Clock:
    """Wall time that the test moves."""

    def __init__(self) -> None:
        self.ns = 1_750_000_000_000_000_000

    def __call__(self) -> int:
        return self.ns


@pytest.fixture
def logged() -> list[LogLine]:
    return []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def plugin(clock: Clock, logged: list[LogLine]) -> Iterator[Plugin]:
    with Plugin(HEALTH, host=Host(now_ns=clock, on_log=logged.append), settings=RELOADING) as made:
        yield made


@pytest.fixture
def exchange(plugin: Plugin, clock: Clock) -> Exchange:
    return Exchange(plugin, clock)


def headers(*pairs: tuple[str, str], end: bool = True) -> HttpHeaders:
    listed = [HeaderValue(key=name, raw_value=value.encode()) for name, value in pairs]
    return HttpHeaders(headers=HeaderMap(headers=listed), end_of_stream=end)


def request(user: str = "alice", metadata: str = METADATA) -> ProcessingRequest:
    told = Struct(fields={"xds.route_metadata": Value(string_value=metadata)})
    return ProcessingRequest(
        request_headers=headers((":method", "GET"), (":path", "/"), ("x-user", user)), attributes={"extproc": told}
    )


def response(status: int = 200, flags: float = 0.0) -> ProcessingRequest:
    told = {"response.flags": Value(number_value=flags), "response.code": Value(number_value=float(status))}
    return ProcessingRequest(
        response_headers=headers((":status", str(status))), attributes={"extproc": Struct(fields=told)}
    )


def send(exchange: Exchange, message: ProcessingRequest) -> ProcessingResponse:
    return decode(ProcessingResponse, exchange.receive(read(encode(message))))


def fail(plugin: Plugin, clock: Clock, times: int, *, flags: float = 0.0) -> None:
    """So many requests that end in 503."""
    for _ in range(times):
        exchange = Exchange(plugin, clock)
        send(exchange, request())
        send(exchange, response(503, flags))
        exchange.end()


def test_the_bucket_is_written_and_the_route_chosen_again(exchange: Exchange) -> None:
    answer = send(exchange, request()).request_headers
    assert answer is not None
    assert answer.response is not None
    assert answer.response.clear_route_cache
    assert answer.response.header_mutation is not None
    (option,) = answer.response.header_mutation.set_headers
    assert option.header == HeaderValue(key="x-fairlead-bucket", raw_value=b"%d" % bucket("web", b"alice"))


def test_a_response_passes_unchanged(exchange: Exchange) -> None:
    send(exchange, request())
    answer = send(exchange, response()).response_headers
    assert answer is not None
    assert answer.response is not None
    assert answer.response.header_mutation is None


def test_where_the_breaker_is_open_the_answer_is_503_at_once(plugin: Plugin, clock: Clock) -> None:
    fail(plugin, clock, 5)
    answer = send(Exchange(plugin, clock), request()).immediate_response
    assert answer is not None
    assert answer.status is not None
    assert answer.status.code == 503
    assert answer.headers is not None
    assert "x-fairlead-breaker" in {option.header.key for option in answer.headers.set_headers if option.header}


def test_flags_that_arrive_with_the_response_count(plugin: Plugin, clock: Clock, logged: list[LogLine]) -> None:
    """A client that was told 503 by a limit of Envoy's own (UO, bit 7) says nothing about the version."""
    fail(plugin, clock, 20, flags=float(1 << 7))
    assert not logged
    fail(plugin, clock, 5, flags=float(1 << 5))
    assert len(logged) == 1


def test_a_client_that_leaves_before_the_response_counts_for_nobody(
    plugin: Plugin, clock: Clock, logged: list[LogLine]
) -> None:
    for _ in range(50):
        exchange = Exchange(plugin, clock)
        send(exchange, request())
        exchange.end()
    assert not logged


def test_a_grpc_status_in_the_trailers_counts(plugin: Plugin, clock: Clock, logged: list[LogLine]) -> None:
    for _ in range(5):
        exchange = Exchange(plugin, clock)
        send(exchange, request())
        send(exchange, response())
        trailers = HttpTrailers(trailers=HeaderMap(headers=[HeaderValue(key="grpc-status", raw_value=b"14")]))
        assert send(exchange, ProcessingRequest(response_trailers=trailers)).response_trailers is not None
        exchange.end()
    assert len(logged) == 1


def test_bodies_are_let_through(exchange: Exchange) -> None:
    send(exchange, request())
    assert send(exchange, ProcessingRequest(request_body=HttpBody(body=b"x"))).request_body is not None


def test_metadata_that_cannot_be_read_leaves_the_request_alone(exchange: Exchange) -> None:
    answer = send(exchange, request(metadata="filter_metadata {")).request_headers
    assert answer is not None
    assert answer.response is not None
    assert answer.response.header_mutation is None


def test_the_same_metadata_is_parsed_once() -> None:
    assert route_metadata(METADATA) is route_metadata(METADATA)


@pytest.mark.parametrize("data", [b"", b"\xff", encode(ProcessingRequest())])
def test_what_is_about_nothing_is_the_clients_fault(data: bytes) -> None:
    with pytest.raises(PeerError):
        read(data)


def test_a_request_begins_with_its_headers_and_has_them_once(exchange: Exchange) -> None:
    with pytest.raises(PeerError):
        send(exchange, response())
    send(exchange, request())
    with pytest.raises(PeerError):
        send(exchange, request())


def test_a_filter_that_traps_costs_its_request_only(clock: Clock) -> None:
    with Plugin(TRAP, host=Host(now_ns=clock), settings=RELOADING) as plugin:
        message = ProcessingRequest(request_headers=headers(("x-trap", "1")))
        exchange = Exchange(plugin, clock)
        with pytest.raises(FilterFailed):
            send(exchange, message)
        exchange.end()
        clock.ns += 1_000_000_000
        good = ProcessingRequest(request_headers=headers(("x-user", "alice")))
        assert send(Exchange(plugin, clock), good).request_headers is not None
