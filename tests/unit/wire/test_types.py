"""Type URLs, their order, content hashes, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys

import betterproto2
import pytest
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.core.v3 import TypedExtensionConfig
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration, VirtualHost
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import Secret
from envoy_data_plane.envoy.service.runtime.v3 import Runtime

import xds.wire
from xds.wire.digest import digest
from xds.wire.packing import pack_any, type_url_of
from xds.wire.types import SEND_ORDER, ResourceType, UnknownTypeUrl

CLASSES: dict[ResourceType, tuple[type[betterproto2.Message], str]] = {
    ResourceType.CLUSTER: (Cluster, "cds"),
    ResourceType.ENDPOINT: (ClusterLoadAssignment, "eds"),
    ResourceType.LISTENER: (Listener, "lds"),
    ResourceType.ROUTE: (RouteConfiguration, "rds"),
    ResourceType.EXTENSION: (TypedExtensionConfig, "ecds"),
    ResourceType.SECRET: (Secret, "sds"),
    ResourceType.RUNTIME: (Runtime, "rtds"),
    ResourceType.VIRTUAL_HOST: (VirtualHost, "vhds"),
}


@pytest.mark.parametrize("type_", ResourceType)
def test_every_type_has_the_url_of_its_message_class(type_: ResourceType) -> None:
    cls, short = CLASSES[type_]
    assert type_.url == type_url_of(cls)
    assert type_.short == short
    assert ResourceType.from_url(type_.url) is type_


def test_an_unknown_url_is_answered_with_the_nearest_known() -> None:
    with pytest.raises(UnknownTypeUrl) as caught:
        ResourceType.from_url("type.googleapis.com/envoy.api.v2.Cluster")
    assert caught.value.nearest == ResourceType.CLUSTER.url
    assert "unknown resource type 'type.googleapis.com/envoy.api.v2.Cluster'; the nearest known" in str(caught.value)
    with pytest.raises(KeyError):
        ResourceType.from_url("")


def test_every_type_has_its_place_in_the_send_order_clusters_before_listeners_before_routes() -> None:
    """xDS protocol, "Eventual consistency considerations"."""
    assert sorted(SEND_ORDER, key=str) == sorted(ResourceType, key=str)
    places = [
        SEND_ORDER.index(ResourceType[name]) for name in ("CLUSTER", "ENDPOINT", "LISTENER", "ROUTE", "VIRTUAL_HOST")
    ]
    assert places == sorted(places)


def test_clusters_and_listeners_are_full_state() -> None:
    """xDS protocol, "Grouping Resources into Responses"."""
    assert {type_ for type_ in ResourceType if type_.full_state} == {ResourceType.CLUSTER, ResourceType.LISTENER}


def test_a_digest_is_sixteen_hex_digits_that_never_change() -> None:
    """Pinned: another release that hashed otherwise would send every resource anew to every Envoy."""
    assert digest(b"") == "e4a6a0577479b2b4"
    assert digest(b"fairlead") != digest(b"fairleae")
    assert len(digest(b"x" * 100_000)) == 16


def test_a_message_is_packed_with_the_url_of_its_class() -> None:
    packed = pack_any(Cluster(name="a"))
    assert (packed.type_url, packed.value) == (ResourceType.CLUSTER.url, bytes(Cluster(name="a")))
    with pytest.raises(TypeError, match="int is not a generated message class"):
        type_url_of(int)  # type: ignore[arg-type]  # the error is what is tested


def test_names_types_and_fragments_import_without_the_message_classes() -> None:
    program = (
        "import sys, xds.wire, xds.wire.types, xds.wire.fragments, xds.wire.endpoint, xds.wire.digest;"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'betterproto2', 'envoy_data_plane', 'pydantic'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", xds.wire.__all__)
def test_the_package_gives_what_it_names(name: str) -> None:
    assert getattr(xds.wire, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = xds.wire.nothing
