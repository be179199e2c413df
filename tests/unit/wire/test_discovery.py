"""Discovery responses joined from bytes are the ones that betterproto2 writes; requests are read back."""

from __future__ import annotations

import pytest
from envoy_data_plane.envoy.config.core.v3 import Node
from envoy_data_plane.envoy.service.discovery.v3 import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    DiscoveryRequest,
    DiscoveryResponse,
    Resource,
)
from envoy_data_plane.google.protobuf import Any as AnyMessage
from hypothesis import given
from hypothesis import strategies as st

from xds.wire import discovery
from xds.wire.errors import DecodeError
from xds.wire.fragments import any_bytes

texts = st.text(max_size=12)
resources = st.lists(st.tuples(texts, texts, st.binary(max_size=200)), max_size=3)


@given(version=texts, contents=resources, type_url=texts, nonce=texts)
def test_a_response_is_the_join_of_its_resources(
    version: str, contents: list[tuple[str, str, bytes]], type_url: str, nonce: str
) -> None:
    message = DiscoveryResponse(
        version_info=version,
        resources=[AnyMessage(type_url=type_url, value=value) for _, _, value in contents],
        type_url=type_url,
        nonce=nonce,
    )
    fields = [discovery.resource_field(any_bytes(type_url, value)) for _, _, value in contents]
    assert discovery.response(version, fields, type_url, nonce) == bytes(message)


@given(version=texts, contents=resources, removed=st.lists(texts, max_size=3), type_url=texts, nonce=texts)
def test_a_delta_response_is_the_join_of_its_resources_and_removals(
    version: str, contents: list[tuple[str, str, bytes]], removed: list[str], type_url: str, nonce: str
) -> None:
    message = DeltaDiscoveryResponse(
        system_version_info=version,
        resources=[
            Resource(name=name, version=its_version, resource=AnyMessage(type_url=type_url, value=value))
            for name, its_version, value in contents
        ],
        type_url=type_url,
        removed_resources=removed,
        nonce=nonce,
    )
    fields = [
        discovery.delta_resource_field(name, its_version, any_bytes(type_url, value))
        for name, its_version, value in contents
    ]
    assert discovery.delta_response(version, fields, removed, type_url, nonce) == bytes(message)


def test_requests_are_read_back() -> None:
    request = DiscoveryRequest(version_info="1", node=Node(id="n"), resource_names=["a", "b"], response_nonce="7")
    assert discovery.decode_request(bytes(request)) == request
    delta = DeltaDiscoveryRequest(
        node=Node(id="n"), resource_names_subscribe=["a"], initial_resource_versions={"a": "1"}
    )
    assert discovery.decode_delta_request(bytes(delta)) == delta


def test_a_request_beyond_its_bound_is_refused() -> None:
    with pytest.raises(DecodeError, match="at most 4 are accepted"):
        discovery.decode_request(b"\x1a\x03abc", max_size=4)
    with pytest.raises(DecodeError, match="at most 4 are accepted"):
        discovery.decode_delta_request(b"\x1a\x03abc", max_size=4)
