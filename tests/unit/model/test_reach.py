"""What a node may call: how it is written, and what a name stands for."""

from __future__ import annotations

import pytest

from xds.model.node import NodeProfile, Role
from xds.model.problems import InvalidInput, PeerError
from xds.model.reach import EVERYTHING, MAX_UPSTREAMS, UpstreamNames, covers, parse_upstreams


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("b, a,b", ("a", "b")),
        (["mail", "a.b"], ("a.b", "mail")),
        ("a,*", EVERYTHING),
        ("", None),
        (" , ", None),
        ([], None),
        (None, None),
    ],
)
def test_names_come_as_a_list_or_with_commas_and_nothing_says_nothing(
    value: object, names: UpstreamNames | None
) -> None:
    assert parse_upstreams(value, pointer="/upstreams") == names


@pytest.mark.parametrize("value", ["a,B", 7.0, {"a": 1}, [["a"]], ",".join(f"s{n}" for n in range(MAX_UPSTREAMS + 1))])
def test_what_no_service_can_be_called_is_refused_and_so_are_too_many(value: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_upstreams(value, pointer="/upstreams")
    assert caught.value.pointer == "/upstreams"


@pytest.mark.parametrize(
    ("service", "covered"),
    [("web", True), ("web.admin", True), ("web.admin.deep", True), ("webshop", False), ("shop.web", False)],
)
def test_a_name_stands_for_itself_and_for_what_lies_below_it(service: str, covered: bool) -> None:
    assert covers(("api", "web"), service) is covered


def test_a_sidecar_says_what_it_calls_and_its_listeners_do_not_depend_on_it() -> None:
    free, bound = (NodeProfile.from_metadata({"fairlead": {"upstreams": text}}) for text in ("", ["b", "a"]))
    assert (free.upstreams, bound.upstreams) == (None, ("a", "b"))
    assert free.variant == bound.variant
    assert (free.scope, bound.scope) == ("default", "default|upstreams=a,b")
    with pytest.raises(PeerError) as caught:
        NodeProfile.from_metadata({"fairlead": {"upstreams": "A B"}})
    assert caught.value.pointer == "/metadata/fairlead/upstreams"


@pytest.mark.parametrize("ours", [{}, {"role": "sidecar", "service": "web", "app": "127.0.0.1:1", "upstreams": "a"}])
def test_who_calls_itself_grpc_is_no_envoy(ours: dict[str, object]) -> None:
    found = NodeProfile.from_metadata({"fairlead": {"env": "prod", **ours}}, "gRPC C-core 1.85")
    assert found == NodeProfile(Role.GRPC, "prod")
    assert found == NodeProfile.from_metadata({"fairlead": {"env": "prod", "role": "grpc"}}, "anything 1.0")
    assert found.variant == "grpc|prod"
