"""The codec against betterproto2: same bytes, same messages, for every class that we emit or read."""

from __future__ import annotations

from typing import Any

import betterproto2
import pytest
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.core.v3 import Node
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration
from envoy_data_plane.envoy.service.discovery.v3 import DeltaDiscoveryRequest, DiscoveryRequest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.property.canonical import canonical
from tests.property.messages import CLASSES, messages
from xds.wire.codec import DecodeError, decode, encode

# No deadline: the first example of a class pays for compiling it, on a machine that others may use too.
QUICK = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
# betterproto2 warns of deprecated fields when it validates; they are fields all the same.
pytestmark = pytest.mark.filterwarnings(r"ignore:\w+\.\w+ is deprecated:DeprecationWarning")
every_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.__module__.split('.')[-2]}.{cls.__name__}")


@every_class
@QUICK
@given(data=st.data())
def test_a_message_encodes_to_the_bytes_that_betterproto_writes(cls: type[betterproto2.Message], data: Any) -> None:
    message = data.draw(messages(cls))
    assert encode(message) == bytes(message)


@every_class
@QUICK
@given(data=st.data())
def test_bytes_decode_to_the_message_that_betterproto_reads(cls: type[betterproto2.Message], data: Any) -> None:
    encoded = encode(data.draw(messages(cls)))
    decoded = decode(cls, encoded)
    expected = cls.parse(encoded)
    assert decoded == expected
    assert encode(decoded) == bytes(expected)


@st.composite
def _damaged(draw: st.DrawFn, cls: type[betterproto2.Message]) -> bytes:
    """A message's bytes, cut, flipped, repeated or mixed with chance."""
    encoded = encode(draw(messages(cls)))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(encoded)))
        stop = draw(st.integers(start, min(len(encoded), start + 40)))
        piece = draw(st.sampled_from([b"", encoded[start:stop] * 2]) | st.binary(max_size=4))
        encoded = encoded[:start] + piece + encoded[stop:]
    return encoded


@pytest.mark.parametrize(
    "cls",
    [DiscoveryRequest, DeltaDiscoveryRequest, Node, Cluster, Listener, RouteConfiguration],
    ids=lambda c: c.__name__,
)
@settings(QUICK, max_examples=100)
@given(data=st.data())
def test_any_bytes_are_refused_with_a_decode_error_or_read_as_protobuf_means_them(
    cls: type[betterproto2.Message], data: Any
) -> None:
    encoded = data.draw(st.one_of(st.binary(max_size=60), _damaged(cls), _damaged(cls)))
    try:
        decoded = decode(cls, encoded)
    except DecodeError as error:
        assert 0 <= error.offset <= len(encoded)
        return
    # Compared as bytes: not-a-number differs from itself wherever it is nested.
    assert encode(decoded) == encode(cls.parse(canonical(cls, encoded)))
