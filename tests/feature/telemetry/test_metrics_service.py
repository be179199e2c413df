"""Envoy's metrics service over real gRPC: what a flush leaves behind."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from envoy_data_plane.envoy.config.core.v3 import Node
from envoy_data_plane.envoy.service.metrics.v3 import StreamMetricsMessage, StreamMetricsMessageIdentifier

from tests.feature.ads.wire_client import WireClient, connect
from tests.feature.telemetry.conftest import SETTINGS, MetricsStream, Plane
from tests.harness.repo import ROOT
from tests.harness.waiting import until
from xds.model.traffic import Answers, Measured
from xds.telemetry.reporter import Reporter
from xds.wire.codec import encode

FLUSH = Path(ROOT / "tests" / "unit" / "telemetry" / "flush.bin").read_bytes()
"""What a real Envoy sent: 163 good answers of web/2.4.1, 100 bad ones of web/v2."""


def introduction(id_: str = "edge-1") -> bytes:
    return encode(StreamMetricsMessage(identifier=StreamMetricsMessageIdentifier(node=Node(id=id_))))


def measured(plane: Plane, cluster: str = "web/v2") -> Measured:
    return plane.telemetry.traffic.measured("default", [cluster])


async def answers(plane: Plane, requests: int = 100) -> Answers:
    """What is known of web/v2, once it is so many requests."""

    def there() -> Answers | None:
        found = measured(plane).answers
        return found if found is not None and found.requests == requests else None

    return await until(there, what=f"{requests} answers")


async def test_a_flush_is_kept_by_node_with_its_times(plane: Plane, client: WireClient) -> None:
    stream = MetricsStream(client)
    await stream.write(introduction() + FLUSH)
    found = await answers(plane)
    assert (found.requests, found.errors) == (100, 100)
    p50, p99 = found.latency.quantile(0.5), found.latency.quantile(0.99)
    assert p50 is not None
    assert p99 is not None
    assert 20 < p50 < 30 < p99 <= 70
    assert measured(plane).answers_by_node.keys() == {"edge-1"}
    assert measured(plane).attempts is None


async def test_flushes_add_up_and_the_node_comes_with_the_first_message_only(plane: Plane, client: WireClient) -> None:
    stream = MetricsStream(client)
    await stream.write(introduction())
    for _ in range(3):
        await stream.write(FLUSH)
    found = await answers(plane, 300)
    assert found.latency.count == 300
    plane.now += 60
    assert measured(plane).answers is None


async def test_several_envoys_add_up(plane: Plane, client: WireClient) -> None:
    for number in range(3):
        await MetricsStream(client).write(introduction(f"edge-{number}") + FLUSH)
    await answers(plane, 300)
    assert {node: found.requests for node, found in measured(plane).answers_by_node.items()} == {
        "edge-0": 100,
        "edge-1": 100,
        "edge-2": 100,
    }


@pytest.mark.parametrize("message", [FLUSH, b"\xff", introduction("")])
async def test_a_message_that_makes_no_sense_costs_its_stream_only(
    plane: Plane, client: WireClient, message: bytes
) -> None:
    good, bad = MetricsStream(client), MetricsStream(client)
    await good.write(introduction())
    await bad.write(message)
    assert (await bad.end())[0] == "INVALID_ARGUMENT"
    await good.write(FLUSH)
    await answers(plane)


async def test_a_stream_needs_the_token(plane: Plane, client: WireClient) -> None:
    plane.token = "Bearer sesame"
    assert (await MetricsStream(client).end())[0] == "UNAUTHENTICATED"


async def test_a_client_that_is_done_is_thanked(client: WireClient) -> None:
    stream = MetricsStream(client)
    await stream.write(introduction())
    await stream.call.done_writing()
    assert await stream.call == b""


async def test_a_large_flush_leaves_the_event_loop_its_turn(
    plane: Plane, client: WireClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """250 kB of statistics in one message, as an Envoy without batches sends them."""
    turns, seen = 0, set[int]()
    answered = plane.telemetry.traffic.answered

    def note(by: Reporter, cluster: str, measured: Answers) -> None:
        seen.add(turns)
        answered(by, cluster, measured)

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(plane.telemetry.traffic, "answered", note)
    async with asyncio.TaskGroup() as tasks:
        taking = tasks.create_task(take_turns())
        await MetricsStream(client).write(introduction() + FLUSH * 10)
        await answers(plane, 1000)
        taking.cancel()
    assert len(seen) >= 4


async def test_streams_do_not_hold_up_the_end_of_the_server() -> None:
    plane = Plane()
    await plane.server.start()
    async with connect(plane.server.ports[0]) as client:
        stream = MetricsStream(client)
        await stream.write(introduction() + FLUSH)
        await answers(plane)
        started = time.monotonic()
        plane.telemetry.close()
        await plane.server.stop()
        assert time.monotonic() - started < SETTINGS.drain_grace
        assert (await stream.end())[0] == "UNAVAILABLE"
