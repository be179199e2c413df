"""Discovery responses joined from bytes are the ones that betterproto2 writes; requests are read back."""

from __future__ import annotations

from envoy_data_plane.envoy.service.discovery.v3 import (
    DeltaDiscoveryResponse,
    DiscoveryResponse,
    Resource,
)
from envoy_data_plane.google.protobuf import Any as AnyMessage
from hypothesis import given
from hypothesis import strategies as st

from xds.wire import discovery
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
