"""Telemetry behind a real listener, with a clock of the test's own."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import pytest
from envoy_data_plane.envoy.service.metrics.v3 import StreamMetricsMessage
from envoy_data_plane.io.prometheus.client import Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType

from tests.feature.ads.wire_client import WireClient, WireStream, connect
from xds.ads import AdsServer, AdsSettings
from xds.cache import Cache, Group, Node, Roster
from xds.model.problems import Problem
from xds.telemetry.settings import TelemetrySettings
from xds.telemetry.station import Telemetry
from xds.wire.codec import encode

SETTINGS = AdsSettings(addresses=("127.0.0.1:0",), drain_grace=3.0, max_request=256 * 1024)
LRS = "/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats"
METRICS = "/envoy.service.metrics.v3.MetricsService/StreamMetrics"


@dataclass
class Plane:
    """The parts around telemetry. What a test wants otherwise, it sets."""

    now: float = 1000.0
    token: str = ""
    clusters: dict[str, list[str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    cache: Cache = field(default_factory=Cache)
    roster: Roster = field(default_factory=Roster)
    port: int = 0

    def __post_init__(self) -> None:
        self.telemetry = Telemetry(
            roster=self.roster,
            cache=self.cache,
            problems=lambda: self.problems,
            clusters=lambda env: self.clusters.get(env, []),
            view=lambda _: None,
            authorize=self.authorize,
            clock=lambda: self.now,
            settings=TelemetrySettings(report_interval=7.5, notice=0.05),
        )
        self.server = AdsServer(
            self.cache,
            self.roster,
            assign=self.assign,
            authorize=self.authorize,
            clock=time.monotonic,
            settings=SETTINGS,
            services=self.telemetry.services,
        )

    async def assign(self, _: Node) -> Group:
        return Group("all")

    def authorize(self, metadata: Mapping[str, str], peer: str) -> str | None:
        return None if metadata.get("authorization", "") == self.token else f"no valid token from {peer}"


@pytest.fixture
async def plane() -> AsyncIterator[Plane]:
    parts = Plane()
    await parts.server.start()
    parts.port = parts.server.ports[0]
    try:
        yield parts
    finally:
        parts.telemetry.close()
        await parts.server.stop()


@pytest.fixture
async def client(plane: Plane) -> AsyncIterator[WireClient]:
    async with connect(plane.port) as wire:
        yield wire


def reporting(client: WireClient) -> WireStream:
    """A stream of load reports."""
    return WireStream(client.channel.stream_stream(LRS)())


class MetricsStream:
    """A stream of metrics: the server speaks once, at the end."""

    def __init__(self, client: WireClient) -> None:
        self.call = client.channel.stream_unary(METRICS)()

    async def write(self, data: bytes) -> None:
        await self.call.write(data)

    async def end(self) -> tuple[str, str]:
        return (await self.call.code()).name, await self.call.details()


def breaker_metrics(cluster: str, state: int, **counts: int) -> bytes:
    """What Envoy sends of one breaker of the health filter: its state, and deltas of what it counts."""
    labels = [LabelPair(name="service", value="web"), LabelPair(name="cluster", value=cluster)]
    found = [("state", MetricType.GAUGE, Metric(label=labels, gauge=Gauge(value=state)))]
    found += [
        (f"{what}_total", MetricType.COUNTER, Metric(label=labels, counter=Counter(value=count)))
        for what, count in counts.items()
    ]
    families = [
        MetricFamily(name=f"wasmcustom.fairlead_breaker_{name}", type=kind, metric=[metric])
        for name, kind, metric in found
    ]
    return encode(StreamMetricsMessage(envoy_metrics=families))
