"""Breakers out of Envoy's metrics service over real gRPC: who stands how, and since when nobody says so any more."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from envoy_data_plane.envoy.service.metrics.v3 import StreamMetricsMessage
from envoy_data_plane.io.prometheus.client import Gauge, LabelPair, Metric, MetricFamily

from tests.feature.ads.wire_client import WireClient
from tests.feature.telemetry.conftest import MetricsStream, Plane, breaker_metrics
from tests.feature.telemetry.test_metrics_service import FLUSH, introduction
from tests.harness.waiting import until
from xds.model.breaker import BreakerState, Reported
from xds.telemetry.breakers import Breakers
from xds.telemetry.reporter import Reporter
from xds.telemetry.settings import TelemetrySettings
from xds.wire.codec import encode

OPEN, CLOSED = BreakerState.OPEN, BreakerState.CLOSED


@pytest.fixture(autouse=True)
def their_clusters(plane: Plane) -> None:
    plane.clusters["default"] = ["web/2.4.1", "web/v2"]


def told(plane: Plane, cluster: str = "web/v2") -> Mapping[str, Reported]:
    return plane.telemetry.breakers.reported("default").get(cluster, {})


async def becomes(plane: Plane, wanted: Mapping[str, Reported], cluster: str = "web/v2") -> None:
    await until(lambda: told(plane, cluster) == wanted, what=f"{cluster} is {wanted}")


async def test_the_last_state_stands_and_counts_add_up(plane: Plane, client: WireClient) -> None:
    stream = MetricsStream(client)
    await stream.write(introduction() + breaker_metrics("web/v2", 0, opens=0, remapped=0))
    await becomes(plane, {"edge-1": Reported(CLOSED)})
    await stream.write(breaker_metrics("web/v2", 1, opens=1, remapped=40))
    await stream.write(FLUSH + breaker_metrics("web/v2", 3, probes=3, remapped=12, rejected=2))
    await becomes(plane, {"edge-1": Reported(BreakerState.RAMP, 1, 3, 52, 2)})


async def test_envoys_stay_apart(plane: Plane, client: WireClient) -> None:
    for node, state in (("edge-2", 1), ("edge-1", 0)):
        await MetricsStream(client).write(introduction(node) + breaker_metrics("web/2.4.1", state))
    await becomes(plane, {"edge-1": Reported(CLOSED), "edge-2": Reported(OPEN)}, "web/2.4.1")
    assert list(told(plane, "web/2.4.1")) == ["edge-1", "edge-2"]
    assert plane.telemetry.breakers.of_node("edge-2") == {"web/2.4.1": Reported(OPEN)}


async def test_what_nobody_tells_any_more_is_forgotten(plane: Plane, client: WireClient) -> None:
    await MetricsStream(client).write(introduction() + breaker_metrics("web/v2", 1))
    await becomes(plane, {"edge-1": Reported(OPEN)})
    plane.now += 60
    assert told(plane) == {}


async def test_a_state_that_is_not_known_is_said_to_be_so(plane: Plane, client: WireClient) -> None:
    await MetricsStream(client).write(introduction() + breaker_metrics("web/v2", 9))
    await becomes(plane, {"edge-1": Reported(BreakerState.UNKNOWN)})


@pytest.mark.parametrize("labels", [{}, {"cluster": ""}, {"cluster": "no-subset"}, {"cluster": "a/b/c"}], ids=str)
async def test_what_names_no_cluster_of_ours_is_stepped_over(
    plane: Plane, client: WireClient, labels: dict[str, str]
) -> None:
    pairs = [LabelPair(name=name, value=value) for name, value in labels.items()]
    family = MetricFamily(
        name="wasmcustom.fairlead_breaker_state", metric=[Metric(label=pairs, gauge=Gauge(value=1.0))]
    )
    stream = MetricsStream(client)
    await stream.write(introduction() + encode(StreamMetricsMessage(envoy_metrics=[family])))
    await stream.write(breaker_metrics("web/v2", 1))
    await becomes(plane, {"edge-1": Reported(OPEN)})
    assert plane.telemetry.breakers.reported("default").keys() == {"web/v2"}


@pytest.mark.parametrize("value", [-1, float("nan"), 1e300])
async def test_a_number_that_makes_no_sense_costs_its_stream(plane: Plane, client: WireClient, value: float) -> None:
    stream = MetricsStream(client)
    await stream.write(introduction() + breaker_metrics("web/v2", 1, opens=value))  # type: ignore[arg-type]  # the point
    assert (await stream.end())[0] == "INVALID_ARGUMENT"


async def test_they_are_on_the_page_of_metrics(plane: Plane, client: WireClient) -> None:
    await MetricsStream(client).write(introduction() + breaker_metrics("web/v2", 1, opens=1, remapped=7))
    await becomes(plane, {"edge-1": Reported(OPEN, opens=1, remapped=7)})
    lines = plane.telemetry.exposition().decode().splitlines()
    assert 'fairlead_breakers{state="open"} 1.0' in lines
    assert 'fairlead_breakers{state="forced closed"} 0.0' in lines
    assert 'fairlead_breaker_events_total{event="remapped"} 7.0' in lines


def test_one_envoy_that_invents_breakers_takes_no_room_from_others() -> None:
    found = Breakers(lambda: 0.0, lambda _: (), TelemetrySettings(most_places=5, most_places_per_node=3))
    greedy, modest = Reporter("greedy", "default", frozenset()), Reporter("modest", "default", frozenset())
    for number in range(5):
        found.told(greedy, f"web/v{number}", "state", 1)
    found.told(modest, "web/v1", "state", 0)
    assert (len(found.of_node("greedy")), len(found.of_node("modest")), found.lost) == (3, 1, 2)


def test_a_breaker_whose_cluster_was_removed_is_gone_whatever_an_envoy_goes_on_telling() -> None:
    clusters = ["web/v1", "web/v2"]
    found = Breakers(lambda: 0.0, lambda _: clusters, TelemetrySettings())
    edge = Reporter("edge-1", "default", frozenset())
    found.told(edge, "web/v1", "state", 0)
    found.told(edge, "web/v2", "state", 1)
    assert found.reported("default")["web/v2"]["edge-1"].state is OPEN
    clusters.remove("web/v2")
    found.told(edge, "web/v2", "state", 1)
    assert found.reported("default")["web/v2"]["edge-1"].state.words == "gone"
    assert found.of_node("edge-1")["web/v2"].state.words == "gone"
    assert (found.states()["open"], found.states()["gone"]) == (0, 1)
