"""What the codec accepts, refuses and keeps, one rule each."""

from __future__ import annotations

import datetime
import math
import time

import pytest
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.core.v3 import Address, HealthStatus, Locality, Metadata, Pipe, SocketAddress
from envoy_data_plane.envoy.config.endpoint.v3 import LbEndpoint, LocalityLbEndpoints
from envoy_data_plane.envoy.config.route.v3 import RetryPolicy
from envoy_data_plane.envoy.service.discovery.v3 import DiscoveryRequest, Resource
from envoy_data_plane.google.protobuf import Duration, ListValue, Struct, Value

from xds.wire import fragments
from xds.wire.codec import DecodeError, decode, encode
from xds.wire.fragments import FIXED32, VARINT, field, tag, varint


def test_a_sub_message_that_occurs_twice_is_merged() -> None:
    """protobuf.dev, "Last One Wins": scalars are replaced, messages merged, repeated fields appended."""
    first = field(2, field(1, b"a") + field(6, b"envoy"))
    second = field(2, field(1, b"b") + field(4, field(1, b"eu")))
    node = decode(DiscoveryRequest, first + second).node
    assert node is not None
    assert (node.id, node.locality, node.user_agent_name) == ("b", Locality(region="eu"), "envoy")


def test_the_last_member_of_a_oneof_wins() -> None:
    """protobuf.dev, "Oneof": a later member clears the earlier ones."""
    socket = field(1, field(2, b"10.0.0.1"))
    pipe = field(2, field(1, b"/run/x"))
    assert decode(Address, socket + pipe) == Address(pipe=Pipe(path="/run/x"))
    assert decode(Address, pipe + socket) == Address(socket_address=SocketAddress(address="10.0.0.1"))


def test_a_map_entry_without_its_value_holds_an_empty_message() -> None:
    """protobuf.dev, "Maps": a key without a value has the default value."""
    assert decode(Metadata, field(1, field(1, b"k"))).filter_metadata == {"k": Struct()}
    assert decode(Struct, field(1, b"")).fields == {"": Value()}


def test_the_last_entry_of_a_map_key_wins() -> None:
    one, two = (field(1, field(1, b"k") + field(2, field(3, text))) for text in (b"one", b"two"))
    assert decode(Struct, one + two).fields == {"k": Value(string_value="two")}


def test_repeated_numbers_are_read_packed_and_unpacked() -> None:
    """protobuf.dev, "Packed Repeated Fields": parsers accept both."""
    packed, unpacked = field(7, varint(404) + varint(503)), tag(7, VARINT) + varint(502)
    assert decode(RetryPolicy, packed + unpacked).retriable_status_codes == [404, 503, 502]


def test_unknown_fields_survive_reading_and_writing() -> None:
    unknown = field(1000, b"later") + tag(1001, VARINT) + varint(5) + tag(1002, FIXED32) + b"\x01\x02\x03\x04"
    data = field(4, b"type") + unknown
    request = decode(DiscoveryRequest, data)
    assert request._unknown_fields == unknown
    assert encode(request) == data
    twice = decode(DiscoveryRequest, field(2, field(1000, b"a")) + field(2, field(1000, b"b")))
    assert encode(twice) == field(2, field(1000, b"a") + field(1000, b"b"))


def test_an_enum_keeps_a_number_that_its_class_does_not_know() -> None:
    endpoint = decode(LbEndpoint, tag(2, VARINT) + varint(77))
    assert endpoint.health_status == 77
    assert isinstance(endpoint.health_status, HealthStatus)
    assert encode(endpoint) == tag(2, VARINT) + varint(77)


def test_messages_that_are_decoded_share_no_container() -> None:
    one, two = decode(DiscoveryRequest, b""), decode(DiscoveryRequest, b"")
    one.resource_names.append("a")
    assert two.resource_names == []


@pytest.mark.parametrize("delta", [-1.5, -1, -0.25, 0, 0.25, 1.5])
def test_a_duration_keeps_its_sign_and_fraction(delta: float) -> None:
    """duration.proto: seconds and nanos have the same sign."""
    value = datetime.timedelta(seconds=delta)
    assert decode(Cluster, encode(Cluster(connect_timeout=value))).connect_timeout == value
    seconds = math.trunc(delta)
    body = encode(Duration(seconds=seconds, nanos=int((delta - seconds) * 1e9)))
    assert encode(Cluster(connect_timeout=value)) == field(4, body)


def test_a_value_that_is_not_a_number_is_kept() -> None:
    value = decode(Value, encode(Value(number_value=math.nan))).number_value
    assert value is not None
    assert math.isnan(value)


@pytest.mark.parametrize(
    ("data", "reason", "offset"),
    [
        pytest.param(b"\x0a\x05ab", "value runs beyond its message", 0, id="a string cut short"),
        pytest.param(b"\x0a", "input ends inside a value", 1, id="a length that is missing"),
        pytest.param(b"\x80", "input ends inside a value", 1, id="a key cut short"),
        pytest.param(b"\x12\x03\x0a\x05a", "value runs beyond its message", 2, id="a string longer than its message"),
        pytest.param(b"\xff" * 10 + b"\x01", "varint longer than ten bytes", 0, id="a key of eleven bytes"),
        pytest.param(b"\x0a" + b"\xff" * 9 + b"\x7f", "varint does not fit 64 bits", 1, id="a length of 70 bits"),
        pytest.param(b"\x0a\x02a\xff", "string is not UTF-8", 3, id="a string that is not UTF-8"),
        pytest.param(b"\x22\x01a\x1a\x01\xc0", "string is not UTF-8", 5, id="one name among several"),
        pytest.param(b"\x08\x05", "field 1 is not encoded as a varint", 0, id="a number for a string"),
        pytest.param(b"\x02\x00", "field number 0 does not exist", 0, id="field number zero"),
        pytest.param(b"\xfb\x3f\xfc\x3f", "wire type 3 is a group or does not exist", 0, id="a group"),
        pytest.param(b"\xff\x3f", "wire type 7 is a group or does not exist", 0, id="wire type seven"),
        pytest.param(b"\xfa\x3f\x09a", "value runs beyond its message", 0, id="an unknown field cut short"),
        pytest.param(b"\xf9\x3f\x01\x02", "value runs beyond its message", 0, id="an unknown fixed64 cut short"),
    ],
)
def test_malformed_input_is_refused_in_words_with_its_offset(data: bytes, reason: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(DiscoveryRequest, data)
    assert (caught.value.reason, caught.value.offset) == (reason, offset)
    assert f"{reason} (at byte {offset})" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (field(7, b"\x80"), "input ends inside a value"),
        (field(7, b"\x01\x80") + b"\x00", "packed numbers end inside a number"),
    ],
)
def test_packed_numbers_cut_short_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        decode(RetryPolicy, data)


def test_a_duration_out_of_range_is_refused() -> None:
    body = tag(1, VARINT) + varint((1 << 63) - 1)
    with pytest.raises(DecodeError, match="Duration is out of range"):
        decode(Cluster, field(4, body))


def test_nesting_deeper_than_a_hundred_levels_is_refused() -> None:
    def lists(levels: int) -> bytes:
        data = b""
        for _ in range(levels):
            data = field(6, field(1, data))
        return data

    assert isinstance(decode(Value, lists(50)), Value)
    with pytest.raises(DecodeError, match="nested deeper than 100 levels"):
        decode(Value, lists(51))


def test_input_beyond_the_size_bound_is_refused_unread() -> None:
    with pytest.raises(DecodeError, match="11 bytes, where at most 10 are accepted"):
        decode(ListValue, b"\xff" * 11, max_size=10)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xf8\x3f\x01" * 300_000, id="unknown fields"),
        pytest.param(field(2, b"\xf8\x3f\x01") * 200_000, id="unknown fields in a message that comes again and again"),
        pytest.param(b"\x1a\x00" * 500_000, id="empty names"),
    ],
)
def test_a_megabyte_of_the_smallest_fields_is_read_in_linear_time(data: bytes) -> None:
    """A stranger's request must not stop the loop that serves everybody; quadratic reading takes minutes."""
    start = time.perf_counter()
    decode(DiscoveryRequest, data)
    assert time.perf_counter() - start < 10


def test_only_generated_messages_have_a_codec() -> None:
    with pytest.raises(TypeError, match="int is not a message class"):
        encode(5)  # type: ignore[arg-type]  # the error is what is tested
    with pytest.raises(TypeError, match="int is not a message class"):
        decode(int, b"")  # type: ignore[type-var]  # as above, the error is what is tested


def test_a_decoded_message_is_as_good_as_a_built_one() -> None:
    """Attributes are written past the constructor; betterproto2 must still print, compare, copy and write it."""
    built = Resource(name="a", version="1", ttl=datetime.timedelta(seconds=5))
    decoded = decode(Resource, encode(built))
    assert (decoded == built, repr(decoded) == repr(built), bytes(decoded) == bytes(built)) == (True, True, True)
    assert decoded.to_dict() == built.to_dict()


def test_wrapped_values_that_occur_twice_are_merged() -> None:
    """They are messages on the wire: an empty one changes nothing, a full one replaces."""
    weight = field(3, b"\x08\x07")
    assert decode(LocalityLbEndpoints, weight + field(3, b"")).load_balancing_weight == 7
    assert decode(LocalityLbEndpoints, weight + field(3, b"\x08\x09")).load_balancing_weight == 9
    halves = field(4, b"\x08\x02") + field(4, b"\x10" + fragments.varint(500_000_000))
    assert decode(Cluster, halves).connect_timeout == datetime.timedelta(seconds=2.5)
