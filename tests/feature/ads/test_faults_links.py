"""Fault P8: readers that stopped, connections that are half open, links that carry next to nothing."""

from __future__ import annotations

import signal
import sys
import time
from dataclasses import replace

import pytest

from tests.feature.ads import stopped_reader
from tests.feature.ads.conftest import SETTINGS, Plane
from tests.feature.ads.wire_client import DeltaStream, connect, node
from tests.harness.faultproxy import fault_proxy
from tests.harness.processes import Programs
from tests.harness.waiting import until
from xds.ads import AdsSettings
from xds.wire.types import ResourceType

CDS, EDS = ResourceType.CLUSTER, ResourceType.ENDPOINT
LARGE = 12_000_000
"""More than the buffers of both kernels and gRPC's window take."""


@pytest.fixture
def settings() -> AdsSettings:
    return replace(SETTINGS, write_deadline=6.0, keepalive_time=60.0)


async def test_p8_a_stopped_reader_costs_one_pending_state_and_is_cut_off_while_others_get_every_push(
    plane: Plane, programs: Programs
) -> None:
    plane.publish(CDS, web="x")
    plane.publish(EDS, web="0")
    child = programs.start([sys.executable, stopped_reader.__file__, str(plane.port)], name="stopped")
    await until(lambda: _acked(plane, "stopped"), what="it works like any other")
    child.send(signal.SIGSTOP)
    async with connect(plane.port) as wire:
        reader = wire.delta()
        await reader.ask(EDS, ["web"], as_node=node("reader"))
        await reader.ask(EDS, nonce=(await reader.response()).nonce)
        before = plane.types("stopped")[CDS].tally.pushes
        for turn in range(1, 21):
            plane.publish(CDS, web=f"{turn}" + "x" * LARGE)
            await _push(plane, reader, str(turn))
        stopped = plane.types("stopped")[CDS]
        assert stopped.tally.pushes - before <= 1, "twenty states were published, one is under way"
        assert stopped.progress is not None
        assert set(stopped.progress.owed) <= {"web"}, "what waits is a name, not twenty contents"
        await until(lambda: plane.gone("stopped"), 30, what="the write is given up after its deadline")
        assert ("limited", "write") in plane.told.facts
        await until(lambda: ("closed", "deadline_exceeded") in plane.told.facts, what="the stream has ended")
        await _push(plane, reader, "after")
    child.send(signal.SIGCONT)


async def test_p8_a_link_of_a_byte_a_second_is_given_up_after_the_deadline(plane: Plane) -> None:
    plane.publish(EDS, web="0")
    plane.publish(CDS, web="x")
    async with fault_proxy(plane.port) as proxy, connect(proxy.port) as far, connect(plane.port) as near:
        slow, reader = far.delta(), near.delta()
        await slow.ask(CDS, as_node=node("slow"))
        await slow.ask(CDS, nonce=(await slow.response()).nonce)
        await until(lambda: _acked(plane, "slow"), what="it is up to date")
        await reader.ask(EDS, ["web"], as_node=node("reader"))
        await reader.ask(EDS, nonce=(await reader.response()).nonce)
        proxy.bandwidth = 1.0
        plane.publish(CDS, web="x" * LARGE)
        for turn in range(5):
            await _push(plane, reader, str(turn))
        await until(lambda: plane.gone("slow"), 30, what="it is given up")
        assert ("limited", "write") in plane.told.facts


class TestHalfOpen:
    """A cable is pulled: nothing comes through, in either direction, and nobody says so."""

    @pytest.fixture
    def settings(self) -> AdsSettings:
        return replace(SETTINGS, keepalive_time=1.0, keepalive_timeout=1.0, write_deadline=60.0)

    async def test_p8_it_is_found_within_keepalive_time_and_timeout(self, plane: Plane) -> None:
        plane.publish(EDS, web="0")
        async with fault_proxy(plane.port) as proxy, connect(proxy.port) as far, connect(plane.port) as near:
            lost, reader = far.delta(), near.delta()
            for stream, name in ((lost, "lost"), (reader, "reader")):
                await stream.ask(EDS, ["web"], as_node=node(name))
                await stream.ask(EDS, nonce=(await stream.response()).nonce)
            proxy.half_open = True
            since = time.monotonic()
            for turn in range(5):
                await _push(plane, reader, str(turn))
            await until(lambda: plane.gone("lost"), 15, what="the half-open connection is found")
            assert time.monotonic() - since < 10, "two seconds, and a generous rest for a busy machine"
            assert not plane.gone("reader"), "who answers pings stays"
            await _push(plane, reader, "after")

    async def test_p8_a_stalled_link_that_goes_on_loses_nothing(self, plane: Plane) -> None:
        plane.publish(EDS, web="0")
        async with fault_proxy(plane.port) as proxy, connect(proxy.port) as far:
            stream = far.delta()
            await stream.ask(EDS, ["web"], as_node=node("late"))
            await stream.ask(EDS, nonce=(await stream.response()).nonce)
            await until(lambda: _answered(plane, "late"), what="it is up to date")
            proxy.latency = 0.05
            for turn in range(3):
                plane.publish(EDS, web=str(turn))
            proxy.stalled = True
            plane.publish(EDS, web="last")
            proxy.stalled = False
            seen = b""
            while seen != b"last":
                response = await stream.response()
                seen = response.resources[0].resource.value if response.resources[0].resource else b""
                await stream.ask(EDS, nonce=response.nonce)


def _acked(plane: Plane, name: str) -> bool:
    types = plane.types(name)
    return CDS in types and bool(types[CDS].acked)


def _answered(plane: Plane, name: str) -> bool:
    return plane.types(name)[EDS].pending is None


async def _push(plane: Plane, reader: DeltaStream, content: str) -> None:
    """Publish endpoints and see them arrive; a reader that is held up fails here, after five seconds."""
    plane.publish(EDS, web="turn " + content)
    response = await reader.response()
    assert response.resources[0].resource is not None
    assert response.resources[0].resource.value == b"turn " + content.encode()
    await reader.ask(EDS, nonce=response.nonce)
