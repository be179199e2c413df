"""ProcessingRequests become what the filter is shown."""

from __future__ import annotations

import contextlib

from envoy_data_plane.envoy.config.core.v3 import HeaderMap, HeaderValue
from envoy_data_plane.envoy.service.ext_proc.v3 import HttpBody, HttpHeaders, HttpTrailers, ProcessingRequest
from envoy_data_plane.google.protobuf import Struct, Value
from hypothesis import given
from hypothesis import strategies as st

from xds.extproc.reading import Part, read
from xds.model.problems import PeerError
from xds.wire.codec import encode

HEADERS = st.lists(st.tuples(st.text(), st.binary(min_size=1)), max_size=5)
VALUES = st.one_of(
    st.text().map(lambda text: (Value(string_value=text), text.encode())),
    st.booleans().map(lambda told: (Value(bool_value=told), bytes([told]))),
    st.integers(0, 1 << 50).map(lambda told: (Value(number_value=float(told)), told.to_bytes(8, "little"))),
)


def header_map(pairs: list[tuple[str, bytes]]) -> HeaderMap:
    return HeaderMap(headers=[HeaderValue(key=name, raw_value=value) for name, value in pairs])


@given(HEADERS, st.booleans(), st.dictionaries(st.text(), VALUES, max_size=4))
def test_headers_and_attributes_are_what_was_sent(
    pairs: list[tuple[str, bytes]], end: bool, told: dict[str, tuple[Value, bytes]]
) -> None:
    told.pop("xds.route_metadata", None)
    for part, field in ((Part.REQUEST_HEADERS, "request_headers"), (Part.RESPONSE_HEADERS, "response_headers")):
        message = ProcessingRequest(attributes={"f": Struct(fields={name: value for name, (value, _) in told.items()})})
        setattr(message, field, HttpHeaders(headers=header_map(pairs), end_of_stream=end))
        found = read(encode(message))
        assert (found.part, found.end) == (part, end)
        assert found.pairs == [(name.encode(), value) for name, value in pairs]
        assert found.properties == {name.replace(".", "\0").encode(): value for name, (_, value) in told.items()}


@given(HEADERS)
def test_trailers_are_the_end(pairs: list[tuple[str, bytes]]) -> None:
    found = read(encode(ProcessingRequest(response_trailers=HttpTrailers(trailers=header_map(pairs)))))
    assert (found.part, found.end, len(found.pairs)) == (Part.RESPONSE_TRAILERS, True, len(pairs))


@given(st.binary(), st.booleans())
def test_a_body_is_passed_over(body: bytes, end: bool) -> None:
    found = read(encode(ProcessingRequest(request_body=HttpBody(body=body, end_of_stream=end))))
    assert (found.part, found.pairs, found.end) == (Part.REQUEST_BODY, [], end)


def test_a_value_that_is_text_is_taken_where_there_are_no_bytes() -> None:
    headers = HeaderMap(headers=[HeaderValue(key="a", value="b")])
    assert read(encode(ProcessingRequest(request_headers=HttpHeaders(headers=headers)))).pairs == [(b"a", b"b")]


def test_a_number_that_is_none_is_left_out() -> None:
    told = {"x": Value(number_value=float("nan")), "y": Value(number_value=float("inf"))}
    message = ProcessingRequest(request_headers=HttpHeaders(), attributes={"f": Struct(fields=told)})
    assert read(encode(message)).properties == {}


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(PeerError):
        read(data)
