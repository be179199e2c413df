"""The breaker's vectors through ext_proc's messages: the same decisions as in Envoy itself."""

from __future__ import annotations

import json

import pytest
from envoy_data_plane.envoy.config.core.v3 import HeaderMap, HeaderValue
from envoy_data_plane.envoy.service.ext_proc.v3 import HttpHeaders, HttpTrailers, ProcessingRequest, ProcessingResponse
from envoy_data_plane.google.protobuf import Struct, Value

from tests.harness.vectors import VECTORS, Json, Player
from xds.extproc.exchange import SERVICE_TIME, Exchange
from xds.extproc.messages import read
from xds.wire.codec import decode, encode


def as_text(value: object) -> str:
    """A google.protobuf.Value in protobuf's text format, as Envoy writes it."""
    match value:
        case bool():
            return f"bool_value: {str(value).lower()}"
        case int() | float():
            return f"number_value: {value}"
        case str():
            return f"string_value: {json.dumps(value)}"
        case list():
            return "list_value { " + " ".join(f"values {{ {as_text(each)} }}" for each in value) + " }"
        case dict():
            return f"struct_value {{ {fields(value)} }}"
    raise AssertionError(value)


def fields(values: Json) -> str:
    return " ".join(f"fields {{ key: {json.dumps(key)} value {{ {as_text(each)} }} }}" for key, each in values.items())


def headers(values: dict[str, object]) -> HeaderMap:
    return HeaderMap(headers=[HeaderValue(key=key, raw_value=str(value).encode()) for key, value in values.items()])


def attributes(**told: Value) -> dict[str, Struct]:
    return {"envoy.filters.http.ext_proc": Struct(fields={name.replace("__", "."): told[name] for name in told})}


class ExtProcPlayer(Player):
    """Exchanges with the processor, message by message, each as bytes."""

    def ask(self, key: str) -> tuple[int | None, object]:
        exchange = Exchange(self.plugin, self.now_ns)
        metadata = f'filter_metadata {{ key: "fairlead" value {{ {fields(self.vector["facts"])} }} }}'
        message = ProcessingRequest(
            request_headers=HttpHeaders(headers=headers({":path": "/", "x-user": key}), end_of_stream=True),
            attributes=attributes(xds__route_metadata=Value(string_value=metadata)),
        )
        answer = self._send(exchange, message)
        if answer.immediate_response is not None:
            return None, exchange
        assert answer.request_headers is not None
        assert answer.request_headers.response is not None
        assert answer.request_headers.response.clear_route_cache
        change = answer.request_headers.response.header_mutation
        assert change is not None
        (option,) = change.set_headers
        assert option.header is not None
        return int(option.header.raw_value), exchange

    def end(self, request: object, answer: Json, subset: str) -> None:
        assert isinstance(request, Exchange)
        if answer["code"] and not request.answered:
            self._respond(request, answer, subset)
        request.end()

    def _respond(self, exchange: Exchange, answer: Json, subset: str) -> None:
        told: dict[str, object] = {":status": answer["code"], SERVICE_TIME.decode(): answer.get("latency_ms", 0)}
        if "retry_after" in answer:
            told["retry-after"] = answer["retry_after"]
        message = ProcessingRequest(
            response_headers=HttpHeaders(headers=headers(told), end_of_stream="grpc" not in answer),
            attributes=attributes(
                response__code=Value(number_value=float(answer["code"])),
                response__flags=Value(number_value=float(answer.get("flags", 0))),
                upstream__request_attempt_count=Value(number_value=float(answer.get("attempts", 1))),
                xds__cluster_name=Value(string_value=answer.get("cluster", subset)),
            ),
        )
        assert self._send(exchange, message).response_headers is not None
        if "grpc" in answer:
            trailers = HttpTrailers(trailers=headers({"grpc-status": answer["grpc"]}))
            assert self._send(exchange, ProcessingRequest(response_trailers=trailers)).response_trailers is not None

    @staticmethod
    def _send(exchange: Exchange, message: ProcessingRequest) -> ProcessingResponse:
        return decode(ProcessingResponse, exchange.receive(read(encode(message))))


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_the_processor_decides_as_the_vector_says(vector: Json) -> None:
    ExtProcPlayer(vector).play()
