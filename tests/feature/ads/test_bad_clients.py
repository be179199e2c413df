"""Clients that break the protocol, hosts that are not ready: a clear status, one stream ended, the others untouched."""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import replace

import grpc
import pytest
from envoy_data_plane.envoy.config.core.v3 import Node
from envoy_data_plane.envoy.service.discovery.v3 import DeltaDiscoveryRequest
from envoy_data_plane.google.protobuf import Struct, Value

from tests.feature.ads.conftest import SETTINGS, Plane
from tests.feature.ads.wire_client import WireClient, connect, node
from tests.harness.waiting import until
from xds.ads import AdsSettings
from xds.model.problems import Conflict, Forbidden, PeerError
from xds.wire.types import ResourceType

CDS, EDS = ResourceType.CLUSTER, ResourceType.ENDPOINT
Code = grpc.StatusCode


@pytest.fixture
def settings() -> AdsSettings:
    return replace(SETTINGS, write_deadline=0.5, max_streams=3)


async def test_p3_a_stream_without_a_node_id_is_refused_and_gets_nothing(plane: Plane, client: WireClient) -> None:
    plane.publish(CDS, web="1")
    for who in (None, Node(cluster="c")):
        stream = client.delta()
        await stream.ask(CDS, as_node=who)
        code, words = await stream.end()
        assert code is Code.INVALID_ARGUMENT
        assert "node" in words
    assert plane.roster.nodes() == []


async def test_p3_a_node_id_that_changes_mid_stream_ends_it(plane: Plane, client: WireClient) -> None:
    plane.publish(CDS, web="1")
    stream = client.delta()
    await stream.ask(CDS, as_node=node("a"))
    await stream.ask(EDS, ["x"], as_node=node("b"))
    assert (await stream.end())[0] is Code.INVALID_ARGUMENT


async def test_p9_an_unknown_type_url_is_refused_with_the_nearest_known_one(plane: Plane, client: WireClient) -> None:
    plane.publish(CDS, web="1")
    stream = client.delta()
    request = DeltaDiscoveryRequest(node=node(), type_url="type.googleapis.com/envoy.config.cluster.v3.Clusters")
    await stream.write(bytes(request))
    code, words = await stream.end()
    assert code is Code.INVALID_ARGUMENT
    assert CDS.url in words


async def test_rule_10_a_request_without_a_type_url_is_refused(plane: Plane, client: WireClient) -> None:
    plane.publish(CDS, web="1")
    stream = client.delta()
    await stream.write(bytes(DeltaDiscoveryRequest(node=node())))
    code, words = await stream.end()
    assert (code, "type_url" in words) == (Code.INVALID_ARGUMENT, True)


@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"\x0a\x05short", b""])
async def test_p9_bytes_that_are_no_request_are_refused(plane: Plane, client: WireClient, data: bytes) -> None:
    plane.publish(CDS, web="1")
    stream = client.delta()
    await stream.write(data)
    assert (await stream.end())[0] is Code.INVALID_ARGUMENT


async def test_p9_metadata_nested_beyond_reason_is_refused(plane: Plane, client: WireClient) -> None:
    plane.publish(CDS, web="1")
    value = Value(string_value="deep")
    for _ in range(45):
        value = Value(struct_value=Struct(fields={"k": value}))
    stream = client.delta()
    await stream.ask(CDS, as_node=Node(id="deep", metadata=Struct(fields={"k": value})))
    assert (await stream.end())[0] is Code.INVALID_ARGUMENT


async def test_p9_a_request_beyond_four_mebibytes_is_refused_unread(plane: Plane, client: WireClient) -> None:
    plane.publish(CDS, web="1")
    stream = client.delta()
    await stream.ask(EDS, ["x" * (5 * 1024 * 1024)], as_node=node())
    assert (await stream.end())[0] is Code.RESOURCE_EXHAUSTED


async def test_p6_not_loaded_is_unavailable_never_empty(plane: Plane, client: WireClient) -> None:
    assert (await client.delta().end())[0] is Code.UNAVAILABLE


@pytest.mark.parametrize(
    ("error", "code"),
    [(PeerError("no such gateway"), Code.INVALID_ARGUMENT), (Forbidden("not yours"), Code.PERMISSION_DENIED)],
)
async def test_a_node_that_control_refuses_hears_why(
    plane: Plane, client: WireClient, error: PeerError | Forbidden, code: grpc.StatusCode
) -> None:
    plane.publish(CDS, web="1")
    plane.refusal = error
    stream = client.delta()
    await stream.ask(CDS, as_node=node())
    assert await stream.end() == (code, error.message)


async def test_without_the_token_nobody_comes_in(plane: Plane, client: WireClient) -> None:
    plane.token = "secret"
    plane.publish(CDS, web="1")
    for metadata in ([], [("authorization", "Bearer wrong")]):
        assert (await client.delta(metadata).end())[0] is Code.UNAUTHENTICATED
    stream = client.delta([("authorization", "Bearer secret")])
    await stream.ask(CDS, as_node=node())
    assert (await stream.response()).resources


async def test_a_failure_of_ours_ends_one_stream_and_is_logged_with_its_node(
    plane: Plane, client: WireClient, caplog: pytest.LogCaptureFixture
) -> None:
    plane.publish(CDS, web="1")
    good = client.delta()
    await good.ask(CDS, as_node=node("good"))
    nonce = (await good.response()).nonce
    plane.refusal = RuntimeError("a bug")
    bad = client.delta()
    with caplog.at_level(logging.ERROR, logger="xds.ads"):
        await bad.ask(CDS, as_node=node("bad"))
        code, words = await bad.end()
    assert (code, "a bug" in words) == (Code.INTERNAL, False)
    assert [record.node for record in caplog.records if record.exc_info] == ["bad"]  # type: ignore[attr-defined] # an extra
    await good.ask(CDS, nonce=nonce)
    plane.publish(CDS, web="2")
    assert (await good.response()).resources


async def test_p8_a_client_that_stops_reading_is_cut_off_and_the_others_do_not_notice(plane: Plane) -> None:
    plane.publish(EDS, web="1")
    plane.publish(CDS, web="x" * 4_000_000)
    async with connect(plane.port, ("grpc.http2.bdp_probe", 0)) as slow, connect(plane.port) as other:
        stopped, reader = slow.delta(), other.delta()
        await stopped.ask(CDS, as_node=node("stopped"))
        await reader.ask(EDS, ["web"], as_node=node("reader"))
        await reader.ask(EDS, nonce=(await reader.response()).nonce)
        plane.publish(EDS, web="2")
        assert (await reader.response()).resources
        await until(lambda: plane.gone("stopped"), what="the stopped client is cut off")


async def test_p10_a_connection_carries_so_many_streams_and_no_more(plane: Plane, client: WireClient) -> None:
    plane.publish(CDS, web="1")
    streams = []
    for number in range(3):
        streams.append(client.delta())
        await streams[-1].ask(CDS, as_node=node(f"n{number}"))
        await streams[-1].response()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.delta().call.wait_for_connection(), 0.3)


async def test_a_port_in_use_is_said_in_words(plane: Plane) -> None:
    second = plane.server(replace(SETTINGS, addresses=(f"127.0.0.1:{plane.port}",)))
    with pytest.raises(Conflict, match=rf"127\.0\.0\.1:{plane.port}.*in use"):
        await second.start()
    await second.stop()


async def test_the_port_is_not_shared_with_a_socket_that_would_share(plane: Plane) -> None:
    """A second program with SO_REUSEPORT would take half of the connections without a word."""
    with socket.socket() as sharer:
        sharer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError, match="in use"):
            sharer.bind(("127.0.0.1", plane.port))


async def test_an_address_that_is_not_ours_is_said_in_words(plane: Plane) -> None:
    with pytest.raises(Conflict, match=r"cannot listen on 192\.0\.2\.1:0"):
        await plane.server(replace(SETTINGS, addresses=("192.0.2.1:0",))).start()


async def test_a_stop_ends_every_stream_with_unavailable(plane: Plane) -> None:
    plane.publish(CDS, web="1")
    server = plane.server(SETTINGS)
    await server.start()
    async with connect(server.ports[0]) as wire:
        delta, state = wire.delta(), wire.state()
        await delta.ask(CDS, as_node=node("a"))
        await state.ask(CDS, as_node=node("b"))
        for stream in (delta, state):
            await stream.read()
        stopping = asyncio.gather(server.stop())
        assert [(await stream.end())[0] for stream in (delta, state)] == [Code.UNAVAILABLE] * 2
        await stopping
    await server.stop()
    assert not any(state.connected for state in plane.roster.nodes())


async def test_a_client_that_vanishes_under_a_write_is_no_failure_of_ours(
    plane: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    plane.publish(CDS, web="x" * 4_000_000)
    with caplog.at_level(logging.INFO):
        async with connect(plane.port, ("grpc.http2.bdp_probe", 0)) as wire:
            await wire.delta().ask(CDS, as_node=node())
            await until(lambda: CDS in plane.types(), what="the client is being served")
        await until(plane.gone, what="it is noticed")
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
