"""ADS over real gRPC: the same conversations with bytes, and what the roster knows after them."""

from __future__ import annotations

import asyncio

from tests.feature.ads.conftest import Plane
from tests.feature.ads.wire_client import WireClient, connect, node
from tests.harness.waiting import until
from xds.cache import Group, Resource
from xds.wire.types import ResourceType

CDS, EDS, LDS, RDS, ECDS = (
    ResourceType.CLUSTER,
    ResourceType.ENDPOINT,
    ResourceType.LISTENER,
    ResourceType.ROUTE,
    ResourceType.EXTENSION,
)


async def test_a_delta_client_gets_changes_and_removals(plane: Plane, client: WireClient) -> None:
    plane.publish(CDS, web="\x0a\x03web")
    stream = client.delta()
    await stream.ask(CDS, as_node=node())
    first = await stream.response()
    assert [(r.name, r.resource.value if r.resource else b"") for r in first.resources] == [("web", b"\x0a\x03web")]
    await stream.ask(CDS, nonce=first.nonce)
    plane.cache.publish([], [resource.key for resource in [Resource.of(CDS, "web", b"")]])
    second = await stream.response()
    assert (second.resources, second.removed_resources, second.type_url) == ([], ["web"], CDS.url)


async def test_a_state_client_gets_every_type_in_order(plane: Plane, client: WireClient) -> None:
    for type_ in (CDS, EDS, LDS, RDS, ECDS):
        plane.publish(type_, web="1")
    stream = client.state()
    await stream.ask(CDS, as_node=node())
    clusters = await stream.response()
    for type_ in (RDS, ECDS, LDS, EDS):
        await stream.ask(type_, ["web"])
    endpoints = await stream.response()
    assert endpoints.type_url == EDS.url
    await stream.ask(CDS, version=clusters.version_info, nonce=clusters.nonce)
    rest = [(await stream.response()).type_url for _ in range(3)]
    assert rest == [LDS.url, ECDS.url, RDS.url]


async def test_rule_06_the_node_is_needed_on_the_first_request_only(plane: Plane, client: WireClient) -> None:
    plane.publish(CDS, web="1")
    stream = client.delta()
    await stream.ask(CDS, as_node=node())
    await stream.response()
    await stream.ask(EDS, ["ghost"])
    assert (await stream.response()).removed_resources == ["ghost"]
    await stream.ask(EDS, ["ghost"], as_node=node())  # and may be repeated
    await stream.silence()


async def test_a_publish_wakes_every_stream_and_an_unchanged_one_none(plane: Plane, client: WireClient) -> None:
    plane.publish(EDS, web="1")
    streams = [client.delta() for _ in range(3)]
    for number, stream in enumerate(streams):
        await stream.ask(EDS, ["web"], as_node=node(f"n{number}"))
        await stream.ask(EDS, nonce=(await stream.response()).nonce)
    plane.publish(EDS, web="2")
    for stream in streams:
        await stream.ask(EDS, nonce=(await stream.response()).nonce)
    plane.publish(EDS, web="2")
    await asyncio.gather(*(stream.silence() for stream in streams))


async def test_the_roster_knows_what_was_sent_and_what_was_acked(plane: Plane, client: WireClient) -> None:
    plane.publish(RDS, egress="1")
    stream = client.delta()
    await stream.ask(RDS, ["egress"], as_node=node(metadata={"role": "sidecar"}))
    response = await stream.response()
    state = plane.node()
    assert state is not None
    assert (state.node.cluster, state.node.version, state.node.metadata) == ("c", "envoy 1.40.0", {"role": "sidecar"})
    routes = state.types[RDS]
    assert (list(routes.sent), list(routes.acked), routes.pending is not None) == (["egress"], [], True)
    await stream.ask(RDS, nonce=response.nonce)
    await until(lambda: routes.acked, what="the ACK is in the roster")
    assert routes.acked["egress"].version == response.resources[0].version


async def test_p1_a_nack_is_kept_in_the_clients_words_cut_to_a_kibibyte(plane: Plane, client: WireClient) -> None:
    """P1: a hostile client sends a megabyte of error text."""
    plane.publish(RDS, egress="bad")
    stream = client.state()
    await stream.ask(RDS, ["egress"], as_node=node())
    await stream.ask(RDS, ["egress"], nonce=(await stream.response()).nonce, error="no such cluster " * 65536)
    state = plane.node()
    assert state is not None
    nack = await until(lambda: state.types[RDS].nack, what="the NACK is in the roster")
    assert nack is not None
    assert nack.message.startswith("no such cluster")
    assert len(nack.message) == 1024
    plane.publish(RDS, egress="good")
    assert (await stream.response()).resources


async def test_after_a_restart_with_the_same_content_a_delta_client_gets_nothing_and_counts_as_acked(
    plane: Plane, client: WireClient
) -> None:
    for type_ in (CDS, EDS, LDS, RDS, ECDS):
        plane.publish(type_, web="1")
    stream = client.delta()
    for type_ in (CDS, EDS, LDS, RDS, ECDS):
        version = Resource.of(type_, "web", b"1").version
        await stream.ask(type_, ["web"], initial={"web": version}, as_node=node())
    await until(lambda: [t for t in plane.types().values() if t.acked][4:], what="all five types are proved")
    await stream.silence()


async def test_a_gate_that_stays_shut_is_passed_by_the_streams_own_alarm(plane: Plane, client: WireClient) -> None:
    plane.publish(CDS, web="1")
    plane.publish(LDS, web="1")
    stream = client.delta()
    await stream.ask(CDS, as_node=node())
    await stream.response()
    await stream.ask(LDS)
    assert (await stream.response()).type_url == LDS.url


async def test_a_node_sees_what_its_group_sees(plane: Plane, client: WireClient) -> None:
    plane.group = Group("web", admits=lambda _type, name: name == "web")
    plane.publish(CDS, web="1", api="1")
    stream = client.delta()
    await stream.ask(CDS, as_node=node())
    assert [r.name for r in (await stream.response()).resources] == ["web"]
    assert plane.assigned[0].id == "sidecar-1"


async def test_p3_of_two_streams_with_one_id_the_newest_is_current(plane: Plane, client: WireClient) -> None:
    plane.publish(CDS, web="1")
    async with connect(plane.port) as other:
        old, new = client.delta(), other.delta()
        for stream in (old, new):
            await stream.ask(CDS, as_node=node())
            await stream.response()
        before = plane.node()
        old.call.cancel()
        await until(lambda: len(plane.roster._streams) == 1, what="the old stream is closed")
        assert plane.node() is before
        assert before is not None
        assert before.connected


async def test_a_client_that_leaves_is_noticed(plane: Plane, client: WireClient) -> None:
    plane.publish(CDS, web="1")
    stream = client.delta()
    await stream.ask(CDS, as_node=node())
    await stream.response()
    stream.call.cancel()
    await until(plane.gone, what="the roster sees it gone")
    assert not plane.cache._interests._asked


async def test_a_client_that_has_said_everything_ends_the_stream_in_peace(plane: Plane, client: WireClient) -> None:
    plane.publish(CDS, web="1")
    stream = client.delta()
    await stream.ask(CDS, as_node=node())
    await stream.response()
    await stream.call.done_writing()
    code, _ = await stream.end()
    assert code.name == "OK"
