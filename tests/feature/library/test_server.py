"""`xds.Server` over real gRPC: groups, versions of one's own, and who acknowledged what."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest
from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterDiscoveryType
from envoy_data_plane.envoy.config.core.v3 import Node as WireNode
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment

import xds
from tests.feature.ads.wire_client import WireClient, connect
from xds.library import Acks

CDS, EDS, RDS = xds.ResourceType.CLUSTER, xds.ResourceType.ENDPOINT, xds.ResourceType.ROUTE


@pytest.fixture
async def server() -> AsyncIterator[xds.Server]:
    async with xds.Server("127.0.0.1:0") as running:
        yield running


@pytest.fixture
async def client(server: xds.Server) -> AsyncIterator[WireClient]:
    async with connect(server.ports[0]) as wire:
        yield wire


def node(group: str, id_: str = "n1") -> WireNode:
    return WireNode(id=id_, cluster=group)


def eds(name: str) -> Cluster:
    return Cluster(name=name, type=ClusterDiscoveryType.EDS)


async def test_a_group_for_which_nothing_was_published_is_told_to_come_back(
    server: xds.Server, client: WireClient
) -> None:
    server.publish("edge", {CDS: [eds("web")]})
    stream = client.delta()
    await stream.ask(CDS, as_node=node("inner"))
    code, words = await stream.end()
    assert code is grpc.StatusCode.UNAVAILABLE
    assert "'inner'" in words


async def test_groups_see_their_own_and_what_everybody_sees(server: xds.Server, client: WireClient) -> None:
    server.publish("", {CDS: [eds("shared"), eds("web")]})
    server.publish("edge", {CDS: [Cluster(name="web", alt_stat_name="mine")]})
    server.publish("inner", {CDS: []})
    seen = {}
    for group in ("edge", "inner"):
        stream = client.delta()
        await stream.ask(CDS, as_node=node(group, group))
        seen[group] = {
            r.name: Cluster.parse(r.resource.value).alt_stat_name
            for r in (await stream.response()).resources
            if r.resource
        }
    assert seen == {"edge": {"shared": "", "web": "mine"}, "inner": {"shared": "", "web": ""}}


async def test_publish_replaces_the_types_it_names_and_leaves_the_others(
    server: xds.Server, client: WireClient
) -> None:
    server.publish("edge", {CDS: [eds("a"), eds("b")], EDS: [ClusterLoadAssignment(cluster_name="a")]})
    server.publish("edge", {CDS: [eds("b")]})
    stream = client.delta()
    await stream.ask(CDS, as_node=node("edge"))
    await stream.ask(EDS, ["a"])
    assert [r.name for r in (await stream.response()).resources] == ["b"]
    assert [r.name for r in (await stream.response()).resources] == ["a"]


async def test_update_changes_single_resources(server: xds.Server, client: WireClient) -> None:
    server.publish("edge", {EDS: [ClusterLoadAssignment(cluster_name="a"), ClusterLoadAssignment(cluster_name="b")]})
    stream = client.delta()
    await stream.ask(EDS, ["a", "b", "c"], as_node=node("edge"))
    first = await stream.response()
    await stream.ask(EDS, nonce=first.nonce)
    server.update("edge", [xds.Resource.of(EDS, "c", b"\x0a\x01c")], [(EDS, "b")])
    second = await stream.response()
    assert ([r.name for r in second.resources], second.removed_resources) == (["c"], ["b"])


async def test_a_version_of_ones_own_is_what_responses_carry(server: xds.Server, client: WireClient) -> None:
    server.publish("edge", {CDS: [eds("a")]}, versions={CDS: "release-7"})
    state, delta = client.state(), client.delta()
    await state.ask(CDS, as_node=node("edge", "s"))
    await delta.ask(CDS, as_node=node("edge", "d"))
    first = await state.response()
    assert first.version_info == "release-7"
    assert (await delta.response()).system_version_info == "release-7"
    await state.ask(CDS, nonce=first.nonce, version=first.version_info)
    server.publish("edge", {CDS: [eds("a")]}, versions={CDS: "release-8"})  # the same content: nothing to say
    server.publish("edge", {CDS: [eds("a"), eds("b")]}, versions={CDS: "release-9"})
    assert (await state.response()).version_info == "release-9"


async def test_who_acknowledged_who_refuses_and_who_has_not_answered(server: xds.Server, client: WireClient) -> None:
    server.publish("edge", {CDS: [eds("a")]})
    streams = {id_: client.delta() for id_ in ("good", "bad", "late")}
    nonces = {}
    for id_, stream in streams.items():
        await stream.ask(CDS, as_node=node("edge", id_))
        nonces[id_] = (await stream.response()).nonce
    await streams["good"].ask(CDS, nonce=nonces["good"])
    await streams["bad"].ask(CDS, nonce=nonces["bad"], error="no such thing")
    assert await server.acked("edge", within=0.3) == Acks(("good",), ("late",), {"bad": "no such thing"})
    await streams["late"].ask(CDS, nonce=nonces["late"])
    found = await server.acked("edge", within=5)
    assert (found, found.complete) == (Acks(("good", "late"), (), {"bad": "no such thing"}), False)
    server.publish("edge", {CDS: [eds("b")]})
    for stream in streams.values():
        await stream.ask(CDS, nonce=(await stream.response()).nonce)
    found = await server.acked("edge", within=5)
    assert (found, found.complete) == (Acks(("bad", "good", "late"), (), {}), True)
    assert sorted(server.nodes()[0].types[CDS].acked) == ["b"]


async def test_a_resource_under_the_wrong_type_is_the_callers_mistake(server: xds.Server) -> None:
    with pytest.raises(TypeError, match="'a' is a cds resource, listed under rds"):
        server.publish("edge", {RDS: [eds("a")]})
    with pytest.raises(TypeError, match="Node is no xDS resource"):
        server.update("edge", [WireNode(id="x")])
