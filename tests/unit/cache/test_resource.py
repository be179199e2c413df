"""One resource: version from content, bytes ready for both protocols."""

from __future__ import annotations

from envoy_data_plane.envoy.service.discovery.v3 import DeltaDiscoveryResponse, DiscoveryResponse

from xds.cache import Held, Resource
from xds.wire.types import ResourceType

CLUSTER, ROUTE = ResourceType.CLUSTER, ResourceType.ROUTE


def test_equal_content_has_an_equal_version_and_other_content_another() -> None:
    one, same, other = (Resource.of(CLUSTER, "web", value) for value in (b"\x0a\x01a", b"\x0a\x01a", b"\x0a\x01b"))
    assert one.version == same.version != other.version


def test_the_version_does_not_depend_on_name_or_variant() -> None:
    assert Resource.of(CLUSTER, "a", b"x").version == Resource.of(CLUSTER, "b", b"x", "env").version


def test_the_fingerprint_mark_depends_on_name_and_version() -> None:
    marks = {Resource.of(CLUSTER, name, value).mark for name in ("a", "b") for value in (b"x", b"y")}
    assert len(marks) == 4


def test_the_state_bytes_are_an_entry_of_a_discovery_response() -> None:
    resource = Resource.of(ROUTE, "egress", b"\x0a\x06egress")
    parsed = DiscoveryResponse.parse(resource.state)
    assert [(any_.type_url, any_.value) for any_ in parsed.resources] == [(ROUTE.url, b"\x0a\x06egress")]


def test_the_delta_bytes_carry_name_and_version() -> None:
    resource = Resource.of(ROUTE, "egress", b"\x0a\x06egress")
    (entry,) = DeltaDiscoveryResponse.parse(resource.delta).resources
    assert (entry.name, entry.version) == ("egress", resource.version)
    assert entry.resource is not None
    assert entry.resource.type_url == ROUTE.url


def test_a_cluster_warms_the_endpoints_of_its_name_unless_told_otherwise() -> None:
    assert Resource.of(CLUSTER, "web/v1", b"").warms == ("web/v1",)
    assert Resource.of(CLUSTER, "web/v1", b"", warms=("other",)).warms == ("other",)
    assert Resource.of(ROUTE, "egress", b"").warms == ()


def test_the_held_value_is_one_shared_object() -> None:
    resource = Resource.of(CLUSTER, "web", b"x").appeared_at(7)
    assert resource.held == Held(resource.version, 7)
    assert resource.held is resource.held
