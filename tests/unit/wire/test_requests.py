"""Requests from bytes: whatever a client encodes is read as the message says, and repeated lists are recognised."""

from __future__ import annotations

import pytest
from envoy_data_plane.envoy.config.core.v3 import Node
from envoy_data_plane.envoy.service.discovery.v3 import DeltaDiscoveryRequest, DiscoveryRequest, ResourceLocator
from envoy_data_plane.google.rpc import Status
from hypothesis import given
from hypothesis import strategies as st

from xds.wire.errors import DecodeError
from xds.wire.names import TooManyNames
from xds.wire.requests import RequestReader

TEXTS = st.text(max_size=200)
LISTS = st.lists(TEXTS, max_size=6)


@given(version=TEXTS, names=LISTS, url=TEXTS, nonce=TEXTS, error=st.none() | TEXTS, node=st.none() | TEXTS)
def test_a_state_request_says_what_its_message_says(
    version: str, names: list[str], url: str, nonce: str, error: str | None, node: str | None
) -> None:
    message = DiscoveryRequest(
        version_info=version,
        resource_names=names,
        type_url=url,
        response_nonce=nonce,
        error_detail=None if error is None else Status(message=error),
        node=None if node is None else Node(id=node),
    )
    reader = RequestReader(delta=False)
    for _ in range(2):  # the second time the names are recognised
        read = reader.read(bytes(message))
        assert (read.version, read.names, read.type_url, read.nonce) == (version, frozenset(names), url, nonce)
        assert read.error == error
        assert (read.node is None) == (node is None)
        assert read.node is None or read.node.id == node


@given(add=LISTS, drop=LISTS, initial=st.dictionaries(TEXTS, TEXTS, max_size=4), nonce=TEXTS)
def test_a_delta_request_says_what_its_message_says(
    add: list[str], drop: list[str], initial: dict[str, str], nonce: str
) -> None:
    message = DeltaDiscoveryRequest(
        resource_names_subscribe=add,
        resource_names_unsubscribe=drop,
        initial_resource_versions=initial,
        response_nonce=nonce,
    )
    read = RequestReader(delta=True).read(bytes(message))
    assert (read.names, read.dropped, read.initial, read.nonce) == (frozenset(add), frozenset(drop), initial, nonce)


@given(data=st.binary(max_size=80), delta=st.booleans())
def test_any_bytes_are_a_request_or_an_error_in_words(data: bytes, delta: bool) -> None:
    try:
        RequestReader(delta=delta).read(data)
    except DecodeError as error:
        assert error.reason


def test_equal_lists_of_different_streams_are_one_object() -> None:
    message = bytes(DiscoveryRequest(resource_names=[f"service-{number}" for number in range(100)]))
    first, second = (RequestReader(delta=False).read(message).names for _ in range(2))
    assert first is second


def test_a_list_that_begins_like_a_known_one_is_not_taken_for_it() -> None:
    reader = RequestReader(delta=False)
    for names in (["a", "b"], ["a", "b", "c"], ["a"], ["a", "b"]):
        assert reader.read(bytes(DiscoveryRequest(resource_names=names))).names == frozenset(names)


def test_names_in_several_parts_are_one_list() -> None:
    parts = bytes(DiscoveryRequest(resource_names=["a"])) + bytes(
        DiscoveryRequest(version_info="1", resource_names=["b"])
    )
    assert RequestReader(delta=False).read(parts).names == frozenset("ab")


def test_rule_35_a_locator_without_parameters_is_a_name_and_one_with_them_is_refused() -> None:
    plain = DeltaDiscoveryRequest(resource_locators_subscribe=[ResourceLocator(name="a")])
    assert RequestReader(delta=True).read(bytes(plain)).names == frozenset("a")
    dynamic = DiscoveryRequest(resource_locators=[ResourceLocator(name="a", dynamic_parameters={"env": "prod"})])
    with pytest.raises(DecodeError, match="'a' is asked for with dynamic parameters"):
        RequestReader(delta=False).read(bytes(dynamic))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x1a\x05abc", "runs past the end"),
        (b"\x1a\x02\xff\xfe", "not UTF-8"),
        (b"\x22\x02\xff\xfe", "not UTF-8"),
        (b"\x0b", "wire type 3"),
        (b"\x02\x00", "field 0 does not exist"),
        (b"\x22", "ends within a field"),
    ],
)
def test_p9_bytes_that_are_no_request_are_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        RequestReader(delta=False).read(data)


def test_p9_two_million_empty_names_are_refused_before_they_are_made() -> None:
    with pytest.raises(TooManyNames, match="more than 100000"):
        RequestReader(delta=False).read(b"\x1a\x00" * 2_000_000)
