"""Messages as dicts, by protobuf's JSON mapping (protobuf.dev, "ProtoJSON")."""

from __future__ import annotations

import datetime
import math

import pytest
from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterDiscoveryType
from envoy_data_plane.envoy.config.core.v3 import (
    Address,
    DataSource,
    Http2ProtocolOptions,
    Metadata,
    SocketAddress,
    TypedExtensionConfig,
)
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.upstreams.http.v3 import (
    HttpProtocolOptions,
    HttpProtocolOptionsExplicitHttpConfig,
)
from envoy_data_plane.google.protobuf import Any as AnyMessage
from envoy_data_plane.google.protobuf import (
    BoolValue,
    Duration,
    ListValue,
    NullValue,
    Struct,
    Timestamp,
    UInt64Value,
    Value,
)

from xds.wire.packing import pack_any
from xds.wire.plain import to_plain


def test_a_cluster_reads_like_envoys_own_examples() -> None:
    options = HttpProtocolOptions(
        explicit_http_config=HttpProtocolOptionsExplicitHttpConfig(http2_protocol_options=Http2ProtocolOptions())
    )
    cluster = Cluster(
        name="a",
        type=ClusterDiscoveryType.EDS,
        connect_timeout=datetime.timedelta(seconds=1, milliseconds=250),
        per_connection_buffer_limit_bytes=0,
        typed_extension_protocol_options={"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": pack_any(options)},
    )
    assert to_plain(cluster) == {
        "name": "a",
        "type": "EDS",
        "connect_timeout": "1.250s",
        "per_connection_buffer_limit_bytes": 0,
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
    }


def test_what_has_presence_is_shown_even_when_it_is_zero() -> None:
    address = Address(socket_address=SocketAddress(address="::1", port_value=0))
    assert to_plain(address) == {"socket_address": {"address": "::1", "port_value": 0}}


def test_bytes_are_base64() -> None:
    assert to_plain(DataSource(inline_bytes=b"\x00\xff")) == {"inline_bytes": "AP8="}


def test_a_struct_is_the_json_that_it_stands_for() -> None:
    values = {
        "none": Value(null_value=NullValue.NULL_VALUE),
        "yes": Value(bool_value=True),
        "whole": Value(number_value=5.0),
        "part": Value(number_value=0.5),
        "text": Value(string_value=""),
        "list": Value(list_value=ListValue(values=[Value(string_value="a"), Value(struct_value=Struct())])),
    }
    expected = {"none": None, "yes": True, "whole": 5, "part": 0.5, "text": "", "list": ["a", {}]}
    assert to_plain(Metadata(filter_metadata={"k": Struct(fields=values)})) == {"filter_metadata": {"k": expected}}


@pytest.mark.parametrize(
    ("message", "value"),
    [
        (Duration(seconds=5), "5s"),
        (Duration(seconds=0, nanos=1000), "0.000001s"),
        (Duration(seconds=-1, nanos=-500_000_000), "-1.500s"),
        (Timestamp(seconds=1_700_000_000, nanos=500_000_000), "2023-11-14T22:13:20.500Z"),
        (UInt64Value(value=2**53 + 1), "9007199254740993"),
        (BoolValue(), False),
        (Struct(fields={"a": Value(number_value=math.inf)}), {"a": "Infinity"}),
        (ListValue(values=[Value(number_value=math.nan)]), ["NaN"]),
        (Value(string_value="x"), "x"),
        (AnyMessage(), {}),
    ],
)
def test_an_any_shows_a_well_known_type_under_value(message: AnyMessage, value: object) -> None:
    packed = pack_any(message)
    assert to_plain(packed) == {"@type": packed.type_url, "value": value}


def test_an_any_of_an_unknown_type_shows_its_bytes() -> None:
    config = TypedExtensionConfig(name="a", typed_config=AnyMessage(type_url="example.org/a.B", value=b"\x08\x01"))
    assert to_plain(config) == {"name": "a", "typed_config": {"@type": "example.org/a.B", "value": "CAE="}}
    assert to_plain(pack_any(Router())) == {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
    }
