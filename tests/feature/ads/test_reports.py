"""The load reporting stream is there from the start: accepted, and nothing is asked for (rule 36)."""

from __future__ import annotations

import time

from envoy_data_plane.envoy.service.load_stats.v3 import LoadStatsRequest

from tests.feature.ads.conftest import SETTINGS, Plane
from tests.feature.ads.wire_client import WireClient, WireStream, connect, node

METHOD = "/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats"


def reporting(client: WireClient) -> WireStream:
    return WireStream(client.channel.stream_stream(METHOD)())


async def test_rule_36_a_client_that_gets_no_answer_is_asked_for_no_reports(client: WireClient) -> None:
    stream = reporting(client)
    for _ in range(3):
        await stream.write(bytes(LoadStatsRequest(node=node())))
    await stream.silence()


async def test_a_report_stream_ends_in_peace_when_the_client_is_done(client: WireClient) -> None:
    stream = reporting(client)
    await stream.write(bytes(LoadStatsRequest(node=node())))
    await stream.call.done_writing()
    code, _ = await stream.end()
    assert code.name == "OK"


async def test_a_report_stream_does_not_hold_up_the_end_of_the_server() -> None:
    plane = Plane()
    server = plane.server(SETTINGS)
    await server.start()
    async with connect(server.ports[0]) as client:
        stream = reporting(client)
        await stream.write(bytes(LoadStatsRequest(node=node())))
        started = time.monotonic()
        await server.stop()
        assert time.monotonic() - started < SETTINGS.drain_grace


async def test_a_report_stream_needs_the_token_too(plane: Plane, client: WireClient) -> None:
    plane.token = "secret"
    stream = reporting(client)
    code, _ = await stream.end()
    assert code.name == "UNAUTHENTICATED"
