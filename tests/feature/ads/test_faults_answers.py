"""Faults P1 to P3: refusals without end, nonces of every kind, and nodes that are not who they say."""

from __future__ import annotations

import logging
from dataclasses import replace

import grpc
import pytest

from tests.feature.ads.conftest import SETTINGS, Plane
from tests.feature.ads.wire_client import DeltaStream, StateStream, WireClient, connect, node
from tests.harness.waiting import until
from xds.ads import AdsSettings
from xds.cache import Group, Resource
from xds.model.problems import Forbidden
from xds.wire.types import ResourceType

CDS, EDS, RDS = ResourceType.CLUSTER, ResourceType.ENDPOINT, ResourceType.ROUTE
Code = grpc.StatusCode


@pytest.fixture
def settings() -> AdsSettings:
    return replace(SETTINGS, max_request=2 * 1024 * 1024)


@pytest.mark.parametrize("protocol", ["delta", "state"])
async def test_p1_who_refuses_everything_gets_each_content_once_and_costs_nobody_anything(
    plane: Plane, client: WireClient, caplog: pytest.LogCaptureFixture, protocol: str
) -> None:
    """A megabyte of words each time. Kept: a kibibyte; logged: a few lines; counted: each one; resent: never."""
    plane.publish(RDS, egress="1")
    plane.publish(EDS, web="1")
    words = "no such cluster " * 65536
    async with connect(plane.port) as elsewhere:
        good = elsewhere.delta()
        hostile = client.delta() if protocol == "delta" else client.state()
        await good.ask(RDS, ["egress"], as_node=node("good"))
        await hostile.ask(RDS, ["egress"], as_node=node("hostile"))
        with caplog.at_level(logging.WARNING, logger="xds.ads"):
            for version in range(2, 12):
                nonce = (await good.response()).nonce
                await good.ask(RDS, nonce=nonce)
                await _refuse(hostile, words)
                await _counted(plane, version - 1)
                plane.publish(EDS, web=str(version))  # something else changes: what was refused stays away
                plane.publish(RDS, egress=str(version))
            assert (await good.response()).resources, "the last content is with the good one"
        state = plane.types("hostile")[RDS]
        assert state.tally.pushes == 11, "one response for each content: the newest goes out at once"
        assert state.nack is not None
        assert len(state.nack.message) == 1024
        assert plane.types("good")[RDS].tally.nacks == 0
        assert plane.told.facts.count(("nacked", "rds")) == 10
        lines = [record for record in caplog.records if record.getMessage() == "response refused"]
        assert 1 <= len(lines) < 10
        assert {record.node for record in lines} == {"hostile"}  # type: ignore[attr-defined]  # a fact that the log call adds
        assert all(len(record.reason) == 1024 for record in lines)  # type: ignore[attr-defined]  # a fact that the log call adds
        await _refuse(hostile, words)
        await hostile.silence()


@pytest.mark.parametrize("protocol", ["delta", "state"])
async def test_p2_nonces_that_are_no_answer_get_no_answer(plane: Plane, client: WireClient, protocol: str) -> None:
    """Stale, unknown, empty, repeated. A response stays unanswered until its own nonce comes; then it counts once."""
    plane.publish(EDS, web="1")
    stream = client.delta() if protocol == "delta" else client.state()
    names = [] if protocol == "delta" else ["web"]
    await stream.ask(EDS, ["web"], as_node=node())
    first = (await stream.response()).nonce
    await stream.ask(EDS, names, nonce=first)
    await until(lambda: plane.types()[EDS].pending is None, what="the first is answered")
    plane.publish(EDS, web="2")
    second = (await stream.response()).nonce
    for nonce in (first, "unknown", first):
        await stream.ask(EDS, names, nonce=nonce, error="not mine" if nonce == "unknown" else None)
    plane.publish(CDS, other="1")
    await stream.ask(CDS)
    assert (await stream.response()).type_url == CDS.url, "all of them were read, and none was answered"
    state = plane.types()[EDS]
    assert state.pending is not None
    assert state.nack is None
    for _ in range(3):
        await stream.ask(EDS, names, nonce=second)
    await until(lambda: state.pending is None, what="its own nonce settles it")
    await stream.silence()
    assert (state.tally.pushes, state.tally.nacks) == (2, 0)


async def test_p2_a_stale_nonce_on_delta_still_changes_the_subscription(plane: Plane, client: WireClient) -> None:
    plane.publish(EDS, web="1", api="1")
    stream = client.delta()
    await stream.ask(EDS, ["web"], as_node=node())
    first = (await stream.response()).nonce
    await stream.ask(EDS, nonce=first)
    await stream.ask(EDS, ["api"], unsubscribe=["web"], nonce="stale")
    response = await stream.response()
    assert [each.name for each in response.resources] == ["api"]
    assert plane.types()[EDS].names == {"api"}


async def test_p2_star_then_names_then_none_is_nothing_not_everything(plane: Plane, client: WireClient) -> None:
    """An empty list means everything only for who never named anything (rules 13, 14)."""
    plane.publish(CDS, web="1", api="1")
    stream = client.state()
    await stream.ask(CDS, ["*"], as_node=node())
    first = await stream.response()
    await stream.ask(CDS, ["web"], version=first.version_info, nonce=first.nonce)
    named = await stream.response()
    assert not plane.types()[CDS].wildcard
    await stream.ask(CDS, [], version=named.version_info, nonce=named.nonce)
    await until(lambda: not plane.types()[CDS].names, what="it asks for nothing any more")
    assert not plane.types()[CDS].wildcard
    plane.publish(CDS, web="2")
    await stream.silence()


async def test_p3_of_three_streams_with_one_id_the_newest_speaks_and_the_end_of_an_older_removes_nothing(
    plane: Plane,
) -> None:
    plane.publish(CDS, web="1")
    async with connect(plane.port) as one, connect(plane.port) as two, connect(plane.port) as three:
        streams, nonces = [], []
        for client in (one, two, three):
            stream = client.delta()
            streams.append(stream)
            await stream.ask(CDS, as_node=node())
            nonces.append((await stream.response()).nonce)
        await streams[2].ask(CDS, nonce=nonces[2])
        await until(lambda: plane.types()[CDS].acked, what="the newest has it")
        streams[0].call.cancel()
        await until(lambda: len(plane.roster._streams) == 2, what="the oldest is closed")
        state = plane.node()
        assert state is not None
        assert state.connected
        assert plane.types()[CDS].acked.keys() == {"web"}
        plane.publish(CDS, web="2")
        assert (await streams[2].response()).resources[0].version == Resource.of(CDS, "web", b"2").version
        streams[2].call.cancel()
        await until(lambda: len(plane.roster._streams) == 1, what="the newest is closed")
        assert state.connected, "the one that is left is current again"


async def test_p3_a_node_of_another_service_is_refused_with_nothing_sent_and_a_line_for_the_record(
    plane: Plane, client: WireClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Who may be which node is for `assign` to say; nodes prove nothing themselves before they have certificates."""
    plane.publish(CDS, web="1")
    plane.refusal = Forbidden("node 'pay-1' is not of service web")
    stream = client.delta()
    with caplog.at_level(logging.WARNING, logger="xds.ads"):
        await stream.ask(CDS, as_node=node("pay-1"))
        assert await stream.end() == (Code.PERMISSION_DENIED, "node 'pay-1' is not of service web")
    (line,) = [record for record in caplog.records if record.name == "xds.ads"]
    assert (line.node, line.status) == ("pay-1", "PERMISSION_DENIED")  # type: ignore[attr-defined]  # facts that the log call adds
    assert line.peer.startswith("ipv")  # type: ignore[attr-defined]  # a fact that the log call adds
    assert plane.roster.nodes() == []
    await until(lambda: ("closed", "permission_denied") in plane.told.facts, what="it is counted")


async def test_p3_a_node_id_that_changes_ends_the_stream_with_nothing_more_sent(
    plane: Plane, client: WireClient, caplog: pytest.LogCaptureFixture
) -> None:
    plane.publish(CDS, web="1")
    plane.group = Group("all")
    stream = client.delta()
    await stream.ask(CDS, as_node=node("a"))
    await stream.response()
    with caplog.at_level(logging.WARNING, logger="xds.ads"):
        await stream.ask(EDS, ["x"], as_node=node("b"))
        code, words = await stream.end()
    assert (code, "'a'" in words, "'b'" in words) == (Code.INVALID_ARGUMENT, True, True)
    (line,) = [record for record in caplog.records if record.getMessage() == "stream ended by us"]
    assert (line.node, line.status) == ("a", "INVALID_ARGUMENT")  # type: ignore[attr-defined]  # facts that the log call adds
    assert EDS not in plane.types("a")
    assert plane.node("b") is None


async def test_p11_a_cluster_goes_only_after_the_routes_without_it_were_accepted(
    plane: Plane, client: WireClient
) -> None:
    _two_clusters(plane)
    stream = client.delta()
    nonces = await _take_all(stream)
    plane.cache.publish([Resource.of(RDS, "egress", b"without")], [Resource.of(CDS, "old", b"").key])
    for type_, nonce in nonces.items():
        await stream.ask(type_, nonce=nonce)
    routes = await stream.response()
    assert routes.type_url == RDS.url
    await until(lambda: plane.types()[RDS].pending is not None, what="the routes are on their way")
    assert plane.types()[CDS].tally.pushes == 1, "the cluster has not gone"
    await stream.ask(RDS, nonce=routes.nonce)
    gone = await stream.response()
    assert (gone.type_url, gone.removed_resources) == (CDS.url, ["old"])


async def test_p11_who_never_answers_loses_the_cluster_after_a_timeout_that_is_logged(
    plane: Plane, client: WireClient, caplog: pytest.LogCaptureFixture
) -> None:
    _two_clusters(plane)
    stream = client.delta()
    nonces = await _take_all(stream)
    for type_, nonce in nonces.items():
        await stream.ask(type_, nonce=nonce)
    await until(lambda: plane.types()[RDS].pending is None, what="all is answered")
    with caplog.at_level(logging.WARNING, logger="xds.ads"):
        plane.cache.publish([Resource.of(RDS, "egress", b"without")], [Resource.of(CDS, "old", b"").key])
        assert (await stream.response()).type_url == RDS.url
        gone = await stream.response()
    assert (gone.type_url, gone.removed_resources) == (CDS.url, ["old"])
    (line,) = [record for record in caplog.records if record.getMessage() == "no answer in time; going on without"]
    assert (line.node, line.type) == ("sidecar-1", "rds")  # type: ignore[attr-defined]  # facts that the log call adds


def _two_clusters(plane: Plane) -> None:
    plane.publish(CDS, old="1", new="1")
    plane.publish(RDS, egress="with")


async def _take_all(stream: DeltaStream) -> dict[ResourceType, str]:
    """Ask for clusters and routes; the nonces of both answers, of which the clusters' has been sent back."""
    await stream.ask(CDS, as_node=node())
    await stream.ask(CDS, nonce=(await stream.response()).nonce)
    await stream.ask(RDS, ["egress"])
    return {RDS: (await stream.response()).nonce}


async def _refuse(stream: DeltaStream | StateStream, words: str) -> None:
    nonce = (await stream.response()).nonce
    await stream.ask(RDS, ["egress"] if isinstance(stream, StateStream) else [], nonce=nonce, error=words)


async def _counted(plane: Plane, refusals: int) -> None:
    await until(lambda: plane.types("hostile")[RDS].tally.nacks == refusals, what="the refusal is counted")
