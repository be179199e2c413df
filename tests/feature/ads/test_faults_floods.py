"""Faults P8 to P10 against the control plane as a program: its memory, its processor time, its other clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from envoy_data_plane.envoy.config.core.v3 import Node
from envoy_data_plane.envoy.service.discovery.v3 import DeltaDiscoveryRequest
from envoy_data_plane.google.protobuf import ListValue, Struct, Value

from tests.feature.ads.neighbour import Neighbour, neighbour
from tests.feature.ads.wire_client import connect, node
from tests.harness.faultproxy import fault_proxy
from tests.harness.frames import Frames
from tests.harness.plane import Plane
from tests.harness.processes import Programs
from tests.harness.waiting import until
from xds.wire.types import ResourceType

CDS, EDS = ResourceType.CLUSTER, ResourceType.ENDPOINT
MIB = 1 << 20
QUICK = {"FAIRLEAD_ADS_KEEPALIVE_TIME": "1", "FAIRLEAD_ADS_KEEPALIVE_TIMEOUT": "1"}


@pytest.fixture
def served(programs: Programs, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Plane]:
    """`fairlead serve` with one service of one instance."""
    plane = Plane(programs, tmp_path / "data", "--filter", "none", env=getattr(request, "param", None))
    plane.start()
    document = {"service": "web", "address": "127.0.0.1", "port": 8080, "version": "v1", "ttl": "60s"}
    plane.put("instances/web-1", document)
    yield plane
    plane.close()


async def test_p9_hostile_requests_are_refused_and_leave_no_memory_behind(served: Plane) -> None:
    """The first round warms what stays for good: code, caches, the allocator's arenas. It is not the one measured."""
    async with neighbour(served) as other:
        await _hostile_round(served)
        before = served.memory()
        for _ in range(3):
            await _hostile_round(served)
        await other.pushes(3)
        await until(lambda: served.memory() <= before * 1.1, 20, what="memory is back within a tenth")
        assert served.node("neighbour")["connected"]


async def test_p9_a_hundred_thousand_names_over_time_leave_no_memory_behind(served: Plane) -> None:
    async with neighbour(served) as other:
        await _names(served, "warm", 20_000)
        before = served.memory()
        await _names(served, "n", 100_000)
        await other.pushes(3)
        await until(lambda: served.memory() <= before * 1.1, 20, what="memory is back within a tenth")


async def test_p10_ten_thousand_streams_on_one_connection_are_a_hundred_and_nobody_else_notices(served: Plane) -> None:
    before = served.memory()
    async with neighbour(served) as other:
        with Frames(served.ads) as flood:
            flood.hello()
            await _while(other, lambda: _many(flood, 10_000, flood.open))
            for _ in range(10):  # a busy machine takes its time to say no so often
                await asyncio.to_thread(flood.hear, 1.0)
                if flood.ended or flood.heard["RstStream"] >= 9_900:
                    break
            assert flood.ended or flood.heard["RstStream"] >= 9_900
            assert served.memory() - before < 32 * MIB


async def test_p10_streams_opened_and_reset_in_a_burst_end_the_connection(served: Plane) -> None:
    async with neighbour(served) as other:
        before = served.cpu()
        with Frames(served.ads) as flood:
            flood.hello()
            await _while(other, lambda: _many(flood, 20_000, lambda: flood.open() + flood.reset()))
            await asyncio.to_thread(flood.hear, 5.0)
            assert flood.ended, "a budget of new streams for each connection, and then it is closed"
        assert served.cpu() - before < 3.0
        await other.pushes(2)


async def test_p10_a_flood_of_pings_ends_the_connection(served: Plane) -> None:
    async with neighbour(served) as other:
        with Frames(served.ads) as flood:
            flood.hello()
            await _while(other, lambda: _many(flood, 20_000, flood.ping))
            await asyncio.to_thread(flood.hear, 5.0)
            assert flood.ended or flood.heard["GoAway"] == 1


@pytest.mark.parametrize("served", [{"FAIRLEAD_ADS_HANDSHAKE_TIMEOUT": "1"}], indirect=True)
async def test_p10_handshakes_that_are_never_finished_end_by_themselves(served: Plane) -> None:
    """Half a TLS handshake on this plain port is a client that says nothing sensible; a hundred stay a second."""
    hello = bytes.fromhex("1603010200010001fc0303")
    async with neighbour(served) as other:
        silent = [Frames(served.ads) for _ in range(100)]
        for number, each in enumerate(silent):
            each.say(hello[: number % 12])
        await other.pushes(5)
        for each in silent:
            await _closed(each)
            each.__exit__()


@pytest.mark.parametrize("served", [QUICK], indirect=True)
async def test_p8_the_lease_of_an_instance_does_not_hang_on_the_connection_of_its_envoy(served: Plane) -> None:
    """The connection of the instance's own sidecar is half open, and found; the instance stays as it was."""
    before = served.get("instances/web-1")
    async with fault_proxy(served.ads) as proxy, connect(proxy.port) as far:
        stream = far.delta()
        await stream.ask(CDS, as_node=node("web-1"))
        await stream.ask(CDS, nonce=(await stream.response()).nonce)
        assert served.node("web-1")["connected"]
        proxy.half_open = True

        def gone() -> bool:
            return not served.node("web-1")["connected"]

        await until(gone, 15, what="it is found within keepalive time and timeout")
    after = served.get("instances/web-1")
    assert {key: after[key] for key in ("id", "epoch", "revision")} == {
        key: before[key] for key in ("id", "epoch", "revision")
    }
    assert float(after["lease"]["expires_in"].removesuffix("s")) > 40


async def _closed(connection: Frames) -> None:
    def there() -> bool:
        connection.hear(0.05)
        return connection.ended

    await until(there, what="it is closed")


async def _while(other: Neighbour, work: Callable[[], None]) -> None:
    """Flood in a thread while the neighbour gets its pushes, every one of them and none after seconds."""
    await other.pushes(3)
    async with asyncio.TaskGroup() as both:
        both.create_task(asyncio.to_thread(work))
        both.create_task(other.pushes(8))
    assert other.slowest < 3.0


def _many(flood: Frames, count: int, frame: Callable[[], bytes]) -> None:
    for number in range(count):
        if not flood.say(frame()):
            return
        if number % 100 == 0:
            flood.hear()


async def _hostile_round(plane: Plane) -> None:
    value = Value(string_value="deep")
    for _ in range(45):
        value = Value(list_value=ListValue(values=[value]))
    deep = Node(id="deep", metadata=Struct(fields={"k": value}))
    hostile = {
        "five mebibytes": _request(EDS.url, ["x" * (5 * MIB)]),
        "nested": bytes(DeltaDiscoveryRequest(node=deep, type_url=CDS.url)),
        "empty names": _request(EDS.url, []) + b"\x1a\x00" * 2_000_000,
        "no such type": _request("type.googleapis.com/envoy.Nothing", []),
        "no text": b"\x0a\x04\x0a\x02\xff\xfe\x12\x02\xff\xff",
    }
    for words, data in hostile.items():
        async with connect(plane.ads) as wire:
            stream = wire.delta()
            await stream.write(data)
            code, _ = await stream.end()
        assert code in {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INVALID_ARGUMENT}, words


def _request(url: str, names: list[str]) -> bytes:
    return bytes(DeltaDiscoveryRequest(node=node("hostile"), type_url=url, resource_names_subscribe=names))


async def _names(plane: Plane, prefix: str, count: int, at_once: int = 5_000) -> None:
    """Ask for other names all the time, and give them up."""
    async with connect(plane.ads, ("grpc.max_receive_message_length", -1)) as wire:
        stream = wire.delta()
        before: list[str] = []
        for first in range(0, count, at_once):
            names = [f"{prefix}-{number}" for number in range(first, first + at_once)]
            await stream.ask(EDS, names, unsubscribe=before, as_node=node("wanderer"))
            response = await stream.response()
            assert len(response.removed_resources) == at_once
            await stream.ask(EDS, nonce=response.nonce)
            before = names
