"""Load reports: who is asked for what, and what becomes of the answers (rule 36)."""

from __future__ import annotations

import asyncio
import datetime
import time

import pytest
from envoy_data_plane.envoy.config.core.v3 import Address, Locality, Node, SocketAddress
from envoy_data_plane.envoy.config.endpoint.v3 import (
    ClusterStats,
    ClusterStatsDroppedRequests,
    UpstreamEndpointStats,
    UpstreamLocalityStats,
)
from envoy_data_plane.envoy.service.load_stats.v3 import LoadStatsRequest, LoadStatsResponse
from envoy_data_plane.google.protobuf import Struct, Value

from tests.feature.ads.wire_client import WireClient, connect
from tests.feature.telemetry.conftest import SETTINGS, Plane, reporting
from tests.harness.waiting import until
from xds.model.traffic import Attempts, Counts
from xds.wire.codec import encode

ALL = "envoy.lrs.supports_send_all_clusters"


def node(id_: str = "edge-1", env: str = "default", *features: str) -> Node:
    ours = Struct(fields={"env": Value(string_value=env)})
    return Node(id=id_, metadata=Struct(fields={"fairlead": Value(struct_value=ours)}), client_features=[*features])


def introduction(*features: str, env: str = "default", id_: str = "edge-1") -> bytes:
    return encode(LoadStatsRequest(node=node(id_, env, *features)))


def endpoint(port: int, good: int, bad: int) -> UpstreamEndpointStats:
    at = Address(socket_address=SocketAddress(address="10.0.0.7", port_value=port))
    return UpstreamEndpointStats(
        address=at, total_successful_requests=good, total_error_requests=bad, total_issued_requests=good + bad
    )


def cluster(name: str = "web/v1", **more: object) -> ClusterStats:
    locality = UpstreamLocalityStats(
        locality=Locality(region="eu", zone="eu-1"),
        total_successful_requests=7,
        total_error_requests=3,
        total_issued_requests=11,
        total_requests_in_progress=2,
        upstream_endpoint_stats=[endpoint(80, 7, 0), endpoint(81, 0, 3)],
    )
    return ClusterStats(
        cluster_name=name,
        upstream_locality_stats=[locality],
        load_report_interval=datetime.timedelta(seconds=10),
        **more,  # type: ignore[arg-type]  # the keywords are the message's own
    )


def report(*clusters: ClusterStats) -> bytes:
    """A report with its node, as Envoy repeats it in each."""
    return encode(LoadStatsRequest(node=node("edge-1", "default", ALL), cluster_stats=list(clusters)))


async def attempts(plane: Plane, cluster: str = "web/v1", env: str = "default") -> Attempts:
    """What is known of a cluster, once anything is."""
    traffic = plane.telemetry.traffic
    return await until(lambda: traffic.measured(env, [cluster]).attempts, what=f"attempts at {cluster}")


async def test_rule_36_a_client_is_asked_for_every_cluster_by_endpoint(client: WireClient) -> None:
    stream = reporting(client)
    await stream.write(introduction(ALL))
    asked = LoadStatsResponse.parse(await stream.read())
    assert (asked.send_all_clusters, asked.clusters, asked.report_endpoint_granularity) == (True, [], True)
    assert asked.load_reporting_interval == datetime.timedelta(seconds=7.5)


async def test_rule_36_a_client_that_cannot_send_all_is_asked_by_name(plane: Plane, client: WireClient) -> None:
    """`send_all_clusters` is honoured only by clients that say so (load_stats/v3/lrs.proto)."""
    plane.clusters = {"default": ["web/v1", "web/v2"], "prod": ["db/v1"]}
    stream = reporting(client)
    await stream.write(introduction())
    first = LoadStatsResponse.parse(await stream.read())
    assert (first.send_all_clusters, first.clusters) == (False, ["web/v1", "web/v2"])


@pytest.mark.parametrize("features", [[ALL], []])
async def test_rule_36_where_there_are_other_clusters_a_client_is_asked_again_but_once_between_two_reports(
    plane: Plane, client: WireClient, features: list[str]
) -> None:
    """Envoy counts for a new cluster only from an answer or a report on that comes after it (measured).

    Each answer begins its interval anew: asked at every change, it would never come to report.
    """
    plane.clusters = {"default": ["web/v1"]}
    stream = reporting(client)
    await stream.write(introduction(*features))
    await stream.read()
    plane.clusters = {"default": ["api/v1", "web/v1"]}
    again = LoadStatsResponse.parse(await stream.read())
    assert again.clusters == ([] if features else ["api/v1", "web/v1"])
    plane.clusters = {"default": ["web/v1"]}
    waiting = asyncio.get_running_loop().create_task(stream.read())
    await asyncio.sleep(0.3)  # a grace in which it would be asked if it were
    assert not waiting.done()
    await stream.write(report(cluster()))
    assert LoadStatsResponse.parse(await waiting).clusters == ([] if features else ["web/v1"])


async def test_where_a_rollout_is_judged_reports_are_asked_for_sooner_at_once_and_only_there(
    plane: Plane, client: WireClient
) -> None:
    """Sooner is asked for without waiting for a report: those of before may be ten seconds away."""
    here, elsewhere = reporting(client), reporting(client)
    await here.write(introduction(ALL))
    await elsewhere.write(introduction(ALL, env="prod"))
    for stream in (here, elsewhere):
        await stream.read()
    plane.clusters = {"default": ["web/v2"], "prod": ["db/v1"]}
    for stream in (here, elsewhere):
        await stream.read()
    tally = plane.telemetry.traffic.tally("default", [["web/v2"]])
    assert LoadStatsResponse.parse(await here.read()).load_reporting_interval == datetime.timedelta(seconds=2)
    plane.now += 10
    await here.write(report(cluster("web/v2")))
    await until(lambda: tally.read()[0].asked == Counts(10, 3), what="it is counted")
    tally.close()
    assert LoadStatsResponse.parse(await here.read()).load_reporting_interval == datetime.timedelta(seconds=7.5)
    await elsewhere.write(report(cluster("db/v1")))
    plane.clusters = {"prod": ["db/v2"]}
    assert LoadStatsResponse.parse(await elsewhere.read()).load_reporting_interval == datetime.timedelta(seconds=7.5)


async def test_rule_36_where_no_cluster_is_known_all_are_asked_for_all_the_same(client: WireClient) -> None:
    """An answer that names none and wants none would be the end of reports."""
    stream = reporting(client)
    await stream.write(introduction())
    assert LoadStatsResponse.parse(await stream.read()).send_all_clusters


async def test_a_report_is_kept_by_node_endpoint_and_locality(plane: Plane, client: WireClient) -> None:
    stream = reporting(client)
    await stream.write(introduction(ALL))
    await stream.write(
        report(
            cluster(
                total_dropped_requests=6,
                dropped_requests=[ClusterStatsDroppedRequests(category="overload", dropped_count=4)],
            )
        )
    )
    drops = {"overload": 4, "other": 2}
    assert await attempts(plane) == Attempts(10, 3, 11, in_progress=2, drops=drops)
    found = plane.telemetry.traffic.measured("default", ["web/v1"])
    assert found.attempts_by_node == {"edge-1": Attempts(10, 3, 11, in_progress=2, drops=drops)}
    assert found.endpoints == {"10.0.0.7:80": Attempts(7, 0, 7), "10.0.0.7:81": Attempts(3, 3, 3)}
    assert found.localities["eu/eu-1"].requests == 10
    assert found.answers is None


async def test_a_cluster_without_traffic_is_zero_and_one_that_nobody_names_is_no_data(
    plane: Plane, client: WireClient
) -> None:
    stream = reporting(client)
    await stream.write(introduction(ALL))
    await stream.write(report(ClusterStats(cluster_name="web/v1")))
    assert await attempts(plane) == Attempts()
    assert plane.telemetry.traffic.measured("default", ["web/v2"]).attempts is None
    assert plane.telemetry.traffic.measured("prod", ["web/v1"]).attempts is None


async def test_clusters_that_are_no_services_are_left_alone(plane: Plane, client: WireClient) -> None:
    stream = reporting(client)
    await stream.write(introduction(ALL))
    names = ["fairlead-xds", "ingress/web/application", "long/" + "x" * 1000, "", "web/v1"]
    await stream.write(report(*map(cluster, names)))
    await attempts(plane)
    assert plane.telemetry.traffic.places == 4


async def test_what_a_client_reported_is_forgotten_at_the_end_of_the_window(plane: Plane, client: WireClient) -> None:
    stream = reporting(client)
    await stream.write(introduction(ALL))
    await stream.write(report(cluster()))
    await attempts(plane)
    await stream.call.done_writing()
    assert (await stream.end())[0].name == "OK"
    plane.now += 49
    assert plane.telemetry.traffic.measured("default", ["web/v1"]).attempts is not None
    plane.now += 11
    assert plane.telemetry.traffic.measured("default", ["web/v1"]).attempts is None
    assert plane.telemetry.traffic.places == 0


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (encode(LoadStatsRequest()), "node"),
        (encode(LoadStatsRequest(node=Node(cluster="c"))), "node"),
        (b"\xff\xff\xff", "ends inside"),
        (b"\x0b\x0c", "group"),
        (introduction(ALL, env="no such name!"), "env"),
        (encode(LoadStatsRequest(node=node(), cluster_stats=[cluster()])) + b"\x12\x02\x0a\x05", "beyond"),
    ],
)
async def test_a_message_that_makes_no_sense_costs_its_stream_only(
    plane: Plane, client: WireClient, message: bytes, words: str
) -> None:
    good, bad = reporting(client), reporting(client)
    await good.write(introduction(ALL))
    await good.read()
    await bad.write(message)
    code, said = await bad.end()
    assert code.name == "INVALID_ARGUMENT"
    assert words in said
    await good.write(report(cluster("api/v1")))
    await attempts(plane, "api/v1")


async def test_a_message_that_is_too_long_costs_its_stream_only(plane: Plane, client: WireClient) -> None:
    stream = reporting(client)
    await stream.write(introduction(ALL) + b"\x1a" + b"\x80\x80\x40" + bytes(1 << 20))
    assert (await stream.end())[0].name == "RESOURCE_EXHAUSTED"
    other = reporting(client)
    await other.write(introduction(ALL))
    await other.read()


async def test_metadata_that_is_nested_without_end_costs_its_stream_only(client: WireClient) -> None:
    value = Value(string_value="x")
    for _ in range(90):
        value = Value(struct_value=Struct(fields={"x": value}))
    stream = reporting(client)
    await stream.write(encode(LoadStatsRequest(node=Node(id="x", metadata=Struct(fields={"x": value})))))
    assert (await stream.end())[0].name == "INVALID_ARGUMENT"


async def test_a_stream_that_says_nothing_is_let_go_in_peace(client: WireClient) -> None:
    stream = reporting(client)
    await stream.call.done_writing()
    assert (await stream.end())[0].name == "OK"


async def test_a_stream_needs_the_token(plane: Plane, client: WireClient) -> None:
    plane.token = "Bearer sesame"
    assert (await reporting(client).end())[0].name == "UNAUTHENTICATED"


async def test_streams_do_not_hold_up_the_end_of_the_server() -> None:
    plane = Plane()
    await plane.server.start()
    async with connect(plane.server.ports[0]) as client:
        streams = [reporting(client) for _ in range(2)]
        await streams[0].write(introduction(ALL))
        await streams[1].write(introduction())
        for stream in streams:
            await stream.read()
        started = time.monotonic()
        plane.telemetry.close()
        await plane.server.stop()
        assert time.monotonic() - started < SETTINGS.drain_grace
        assert [(await stream.end())[0].name for stream in streams] == ["UNAVAILABLE"] * 2
