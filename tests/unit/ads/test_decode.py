"""What a client says of itself, from bytes to values."""

from __future__ import annotations

import pytest
from envoy_data_plane.envoy.config.core.v3 import BuildVersion, Node
from envoy_data_plane.envoy.service.discovery.v3 import DeltaDiscoveryRequest, DiscoveryRequest
from envoy_data_plane.envoy.type.v3 import SemanticVersion
from envoy_data_plane.google.protobuf import ListValue, Struct, Value
from envoy_data_plane.google.rpc import Status

from xds.ads.decode import delta_request, node_of, read_request, state_request
from xds.ads.limits import LimitReached
from xds.model.problems import PeerError
from xds.protocol import DeltaRequest, StateRequest
from xds.wire.errors import DecodeError
from xds.wire.introduction import Introduction, introduction
from xds.wire.requests import RequestReader
from xds.wire.types import ResourceType

CDS = ResourceType.CLUSTER


def nested(levels: int) -> Struct:
    value = Value(string_value="deep")
    for level in range(levels):
        if level % 2:
            value = Value(list_value=ListValue(values=[value]))
        else:
            value = Value(struct_value=Struct(fields={"k": value}))
    return Struct(fields={"k": value})


def state(message: DiscoveryRequest, only: ResourceType | None = None, max_error: int = 10) -> StateRequest:
    return state_request(read_request(RequestReader(delta=False), bytes(message)), only, max_error)


def said(node: Node) -> Introduction:
    return introduction(bytes(node))


def delta(message: DeltaDiscoveryRequest, only: ResourceType | None = None) -> DeltaRequest:
    return delta_request(read_request(RequestReader(delta=True), bytes(message)), only, 10)


def test_a_state_request_is_read_field_by_field() -> None:
    message = DiscoveryRequest(version_info="v", resource_names=["a", "b"], type_url=CDS.url, response_nonce="7")
    assert state(message) == StateRequest(CDS, frozenset("ab"), "v", "7")


def test_a_delta_request_is_read_field_by_field() -> None:
    message = DeltaDiscoveryRequest(
        type_url=CDS.url,
        resource_names_subscribe=["a"],
        resource_names_unsubscribe=["b"],
        initial_resource_versions={"c": "v"},
        response_nonce="7",
    )
    assert delta(message) == DeltaRequest(CDS, frozenset("a"), frozenset("b"), {"c": "v"}, "7")


@pytest.mark.parametrize(("words", "kept"), [("", ""), ("no", "no"), ("x" * 50, "x" * 10)])
def test_rule_01_an_error_is_a_refusal_even_without_words_and_is_cut(words: str, kept: str) -> None:
    assert state(DiscoveryRequest(type_url=CDS.url, error_detail=Status(message=words))).error == kept


@pytest.mark.parametrize("is_delta", [False, True])
def test_garbage_is_the_peers_fault(is_delta: bool) -> None:
    with pytest.raises(PeerError, match="not a discovery request"):
        read_request(RequestReader(delta=is_delta), b"\xff")


def test_p9_more_names_than_are_accepted_reach_a_limit() -> None:
    reader = RequestReader(delta=False, max_names=3)
    with pytest.raises(LimitReached, match="more than 3 resource names"):
        read_request(reader, bytes(DiscoveryRequest(type_url=CDS.url, resource_names=["", "", "", ""])))


def test_rule_10_a_type_url_may_be_left_out_where_the_service_has_one_type_only() -> None:
    assert state(DiscoveryRequest(), CDS).type is CDS
    assert delta(DeltaDiscoveryRequest(type_url=CDS.url), CDS).type is CDS
    with pytest.raises(PeerError, match="must name its type_url"):
        state(DiscoveryRequest())
    with pytest.raises(PeerError, match="this stream is for"):
        state(DiscoveryRequest(type_url=ResourceType.ROUTE.url), CDS)


def test_metadata_of_every_kind_becomes_json_values() -> None:
    fields = {
        "text": Value(string_value="a"),
        "number": Value(number_value=1.5),
        "zero": Value(number_value=0.0),
        "flag": Value(bool_value=False),
        "nothing": Value(),
        "list": Value(list_value=ListValue(values=[Value(string_value="x"), Value(number_value=2.0)])),
        "struct": Value(struct_value=Struct(fields={"k": Value(string_value="v")})),
    }
    node = node_of(said(Node(id="n", metadata=Struct(fields=fields))), "peer")
    assert node.metadata == {
        "text": "a",
        "number": 1.5,
        "zero": 0.0,
        "flag": False,
        "nothing": None,
        "list": ["x", 2.0],
        "struct": {"k": "v"},
    }


def test_p9_metadata_nested_beyond_reason_is_refused_through_lists_too() -> None:
    assert node_of(said(Node(id="n", metadata=nested(20))), "").metadata
    with pytest.raises(DecodeError, match="nested"):
        node_of(said(Node(id="n", metadata=nested(40))), "")


def test_the_version_is_what_the_client_calls_itself() -> None:
    build = BuildVersion(version=SemanticVersion(major_number=1, minor_number=40, patch=2))
    assert (
        node_of(said(Node(id="n", user_agent_name="envoy", user_agent_build_version=build)), "").version
        == "envoy 1.40.2"
    )
    named = Node(id="n", user_agent_name="gRPC", user_agent_version="1.85")
    assert node_of(said(named), "").version == "gRPC 1.85"
    assert node_of(said(Node(id="n")), "").version == ""


@pytest.mark.parametrize("node", [None, Node(), Node(cluster="c")])
def test_p3_who_does_not_say_who_it_is_is_refused(node: Node | None) -> None:
    with pytest.raises(PeerError, match=r"node\.id"):
        node_of(None if node is None else said(node), "")
