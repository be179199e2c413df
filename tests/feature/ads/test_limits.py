"""Each limit on the wire: what the client hears, and what the observer is told. docs/limits.md has them all."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import grpc
import pytest

from tests.feature.ads.conftest import SETTINGS, Plane
from tests.feature.ads.wire_client import DeltaStream, WireClient, connect, node
from tests.harness.waiting import until
from xds.ads import AdsSettings
from xds.cache import Resource
from xds.wire.types import ResourceType

CDS, EDS = ResourceType.CLUSTER, ResourceType.ENDPOINT
Code = grpc.StatusCode


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> AdsSettings:
    return replace(SETTINGS, **getattr(request, "param", {}))


def limits(**changed: float) -> pytest.MarkDecorator:
    """Run the test with these settings."""
    return pytest.mark.parametrize("settings", [changed], indirect=True, ids=["-".join(changed)])


@limits(max_names=10)
async def test_names_one_subscription_may_have(plane: Plane, client: WireClient) -> None:
    plane.publish(EDS, web="1")
    for names in (10, 11):
        stream = client.delta()
        await stream.ask(EDS, [f"n{number}" for number in range(names)], as_node=node())
        if names == 10:
            assert (await stream.response()).removed_resources
            await stream.ask(EDS, ["one-more"])
        code, words = await stream.end()
        assert (code, "10" in words) == (Code.RESOURCE_EXHAUSTED, True)
    assert plane.told.facts.count(("limited", "names")) == 2


@limits(message_rate=1, message_burst=5)
async def test_requests_one_stream_may_send(plane: Plane, client: WireClient) -> None:
    plane.publish(EDS, web="1")
    stream = client.delta()
    for _ in range(6):
        await stream.ask(EDS, ["web"], as_node=node())
    code, words = await stream.end()
    assert (code, "requests a second" in words) == (Code.RESOURCE_EXHAUSTED, True)
    assert ("limited", "messages") in plane.told.facts


@limits(max_request=1024)
async def test_bytes_one_request_may_have(plane: Plane, client: WireClient) -> None:
    """gRPC refuses it unread, so the observer hears of the end only."""
    plane.publish(EDS, web="1")
    stream = client.delta()
    await stream.ask(EDS, ["x" * 2000], as_node=node())
    assert (await stream.end())[0] is Code.RESOURCE_EXHAUSTED
    await until(lambda: [fact for fact in plane.told.facts if fact[0] == "closed"], what="its end is counted")


@limits(stream_rate=2, stream_burst=2)
async def test_new_streams_a_second_and_who_is_refused_comes_in_later(plane: Plane, client: WireClient) -> None:
    plane.publish(CDS, web="1")
    for _ in range(2):
        await _served(client)
    code, words = await client.delta().end()
    assert (code, "come back" in words) == (Code.UNAVAILABLE, True)
    assert ("refused", "rate") in plane.told.facts
    await asyncio.sleep(0.6)  # the rate is a matter of time
    await _served(client)


@limits(peer_stream_rate=1, peer_stream_burst=3)
async def test_new_streams_on_one_connection_beyond_which_it_is_closed(plane: Plane, client: WireClient) -> None:
    plane.publish(CDS, web="1")
    first = await _served(client)
    for _ in range(3):
        client.delta()
    assert (await first.end())[0] is Code.UNAVAILABLE, "the whole connection is gone"
    assert ("refused", "peer") in plane.told.facts
    assert plane.told.facts.count(("limited", "peer")) == 1
    async with connect(plane.port) as other:
        await _served(other)


@limits(max_connections=2)
async def test_connections_at_a_time(plane: Plane) -> None:
    plane.publish(CDS, web="1")
    async with connect(plane.port) as one, connect(plane.port) as two, connect(plane.port) as three:
        await _served(one)
        await _served(two)
        assert (await three.delta().end())[0] is Code.UNAVAILABLE

    async def comes_in() -> bool:
        async with connect(plane.port) as four:
            stream = four.delta()
            await stream.call.initial_metadata()
            return not stream.call.done()

    await until(comes_in, what="there is room again")


@limits(connection_age=1, connection_grace=1)
async def test_at_its_age_a_connection_is_made_anew_and_nothing_is_sent_again(plane: Plane, client: WireClient) -> None:
    plane.publish(CDS, web="1")
    stream = await _served(client)
    ended = await asyncio.wait_for(stream.call.code(), 10)
    assert ended in {Code.UNAVAILABLE, Code.CANCELLED, Code.INTERNAL}
    again = client.delta()
    await again.ask(CDS, initial={"web": Resource.of(CDS, "web", b"1").version}, as_node=node())
    await until(lambda: _connected(plane), what="it is back")
    await until(lambda: plane.types()[CDS].acked, what="it has proved what it holds")
    assert plane.types()[CDS].tally.pushes == 0
    await again.silence()


@limits(handshake_timeout=1)
async def test_a_connection_that_never_says_hello_is_closed(plane: Plane) -> None:
    """P10: half a handshake. Fault A5's slow headers, one layer below."""
    for hello in (b"", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", bytes.fromhex("1603010200010001fc0303") + b"x" * 200):
        reader, writer = await asyncio.open_connection("127.0.0.1", plane.port)
        writer.write(hello)
        async with asyncio.timeout(10):
            while await reader.read(65536):
                pass
        writer.close()


async def _served(client: WireClient) -> DeltaStream:
    stream = client.delta()
    await stream.ask(CDS, as_node=node())
    response = await stream.response()
    await stream.ask(CDS, nonce=response.nonce)
    return stream


def _connected(plane: Plane) -> bool:
    state = plane.node()
    return state is not None and state.connected
