"""The control plane's own metrics as text for Prometheus: a registry of our own, filled at each scrape.

What is counted is counted elsewhere in plain numbers (`streams`, `receiving`, `loop_lag`), what merely stands (nodes,
revision, problems) is looked up. prometheus_client knows the format; its counters lock, and cost the hot path 2.3 us.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from xds.cache.roster import Roster
from xds.cache.table import Cache
from xds.cache.typestate import TypeState
from xds.model.alarm import Alarm
from xds.model.problems import Problem, Severity

from .breakers import Breakers
from .histogram import Histogram
from .load_reports import LoadReports
from .loop_lag import LoopLag
from .metrics_service import Metrics
from .receiving import Door
from .streams import StreamCounts
from .traffic import Traffic

HELP: Final[Mapping[str, str]] = {
    "fairlead_xds_pushes": "Responses written to streams.",
    "fairlead_xds_push_bytes": "Bytes of these responses.",
    "fairlead_xds_ack_seconds": "From a response's write to its ACK.",
    "fairlead_xds_nacks": "Responses that were refused.",
    "fairlead_xds_gates_passed": "Times that a stream went on for want of an answer.",
    "fairlead_xds_unanswered": "Connected nodes with a response that they have not answered.",
    "fairlead_xds_nacks_standing": "Connected nodes with a refusal that nothing has settled.",
    "fairlead_xds_owed": "Resources whose present content a connected node was not sent yet.",
    "fairlead_xds_parked": "Resources that a connected node refused, and is not sent before they change.",
    "fairlead_xds_held_back": "Routes and listeners kept from a connected node that lacks a cluster.",
    "fairlead_xds_streams": "Open discovery streams.",
    "fairlead_xds_streams_closed": "Discovery streams that ended, and why.",
    "fairlead_xds_streams_refused": "Calls that never became a stream, and why.",
    "fairlead_xds_limits": "Limits that bit.",
    "fairlead_nodes": "Nodes that were seen; the live ones count for every step of a rollout.",
    "fairlead_nodes_connected": "Nodes with an open stream.",
    "fairlead_snapshot_revision": "Revision of the newest published snapshot; 0 before the first.",
    "fairlead_problems": "Problems that stand.",
    "fairlead_alarms": "Alarms that stand.",
    "fairlead_store_age_seconds": "For how long the store has taken nothing that it was given; 0 while it works.",
    "fairlead_loop_lag_seconds": "How late the event loop woke what was due.",
    "fairlead_load_reports": "Load reports received.",
    "fairlead_metrics_messages": "Messages of Envoy's metrics service received.",
    "fairlead_metrics_families": "Metric families in them, wanted or not.",
    "fairlead_breakers": "Circuit breakers that Envoys tell of, one for each Envoy and cluster.",
    "fairlead_breaker_events": "What Envoys told that their breakers did; each Envoy counts it under its own names.",
    "fairlead_telemetry_streams": "Open streams of reports.",
    "fairlead_telemetry_streams_refused": "Streams of reports turned away, or ended for the client's fault.",
    "fairlead_telemetry_places": "Sums held in windows.",
    "fairlead_telemetry_lost": "Sums that found no room in their window.",
}
"""What each family says of itself. A counter's samples end in `_total`."""

_STANDING: Final[Mapping[str, Callable[[TypeState], int]]] = {
    "fairlead_xds_unanswered": lambda held: held.pending is not None,
    "fairlead_xds_nacks_standing": lambda held: held.nack is not None,
    "fairlead_xds_owed": lambda held: len(held.progress.owed) if held.progress else 0,
    "fairlead_xds_parked": lambda held: len(held.progress.parked) if held.progress else 0,
    "fairlead_xds_held_back": lambda held: len(held.progress.held_back) if held.progress else 0,
}
"""What is summed over connected nodes per type, and how much one node's state of a type adds."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the numbers come from. `clock` gives monotonic seconds, as the roster's."""

    streams: StreamCounts
    lag: LoopLag
    door: Door
    load_reports: LoadReports
    metrics: Metrics
    traffic: Traffic
    breakers: Breakers
    roster: Roster
    cache: Cache
    problems: Callable[[], Iterable[Problem]]
    clock: Callable[[], float]
    alarms: Callable[[], Iterable[Alarm]]
    store_age: Callable[[], float]


class Exposition(Collector):
    """Everything there is to scrape."""

    def __init__(self, sources: Sources) -> None:
        self._from = sources
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """Return every metric in Prometheus' text format, version 0.0.4."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Return nothing: what is there depends on what has happened, and nothing is read before a scrape."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        yield from _of_types(self._from.streams)
        yield from _of_streams(self._from.streams)
        yield from self._of_nodes()
        yield from self._of_reports()
        yield from self._of_plane()

    def _of_nodes(self) -> Iterator[Metric]:
        nodes, now = self._from.roster.nodes(), self._from.clock()
        live = sum(node.is_live(now) for node in nodes)
        connected = [node for node in nodes if node.connected]
        yield _gauge("fairlead_nodes", {"live": live, "unknown": len(nodes) - live}, "state")
        yield _gauge("fairlead_nodes_connected", {"": len(connected)})
        for name, amount in _STANDING.items():
            found: Counter[str] = Counter()
            for node in connected:
                for type_, held in node.types.items():
                    found[type_.short] += amount(held)
            yield _gauge(name, found, "type")

    def _of_reports(self) -> Iterator[Metric]:
        door, traffic, metrics = self._from.door, self._from.traffic, self._from.metrics
        yield _counter("fairlead_load_reports", {"": self._from.load_reports.received})
        yield _counter("fairlead_metrics_messages", {"": metrics.received})
        yield _counter("fairlead_metrics_families", {"": metrics.families})
        yield _gauge("fairlead_breakers", self._from.breakers.states(), "state")
        yield _counter("fairlead_breaker_events", self._from.breakers.events, "event")
        yield _gauge("fairlead_telemetry_streams", door.streams, "service")
        yield _counter("fairlead_telemetry_streams_refused", door.refused, "service")
        yield _gauge("fairlead_telemetry_places", {"": traffic.places})
        yield _counter("fairlead_telemetry_lost", {"": traffic.lost + self._from.breakers.lost})

    def _of_plane(self) -> Iterator[Metric]:
        snapshot = self._from.cache.latest()
        yield _gauge("fairlead_snapshot_revision", {"": 0 if snapshot is None else snapshot.revision})
        standing = dict.fromkeys((severity.value for severity in Severity), 0)
        for problem in self._from.problems():
            standing[problem.severity.value] += 1
        yield _gauge("fairlead_problems", standing, "severity")
        yield _alarms(self._from.alarms())
        yield _gauge("fairlead_store_age_seconds", {"": self._from.store_age()})
        yield _histogram("fairlead_loop_lag_seconds", {"": self._from.lag.seconds})


def _alarms(standing: Iterable[Alarm]) -> Metric:
    name = "fairlead_alarms"
    family = GaugeMetricFamily(name, HELP[name], labels=("kind", "priority"))
    for at, count in Counter((alarm.kind, alarm.priority.name.lower()) for alarm in standing).items():
        family.add_metric(at, count)
    return family


def _of_types(streams: StreamCounts) -> Iterator[Metric]:
    types = {type_.short: counts for type_, counts in streams.types.items()}
    yield _counter("fairlead_xds_pushes", {at: each.pushes for at, each in types.items()}, "type")
    yield _counter("fairlead_xds_push_bytes", {at: each.bytes for at, each in types.items()}, "type")
    yield _counter("fairlead_xds_nacks", {at: each.nacks for at, each in types.items()}, "type")
    yield _counter("fairlead_xds_gates_passed", {at: each.overdue for at, each in types.items()}, "type")
    yield _histogram("fairlead_xds_ack_seconds", {at: each.answers for at, each in types.items()}, "type")


def _of_streams(streams: StreamCounts) -> Iterator[Metric]:
    yield _gauge("fairlead_xds_streams", streams.open, "protocol")
    closed = CounterMetricFamily(
        "fairlead_xds_streams_closed", HELP["fairlead_xds_streams_closed"], labels=("protocol", "reason")
    )
    for at, count in streams.ended.items():
        closed.add_metric(at, count)
    yield closed
    yield _counter("fairlead_xds_streams_refused", streams.turned_away, "reason")
    yield _counter("fairlead_xds_limits", streams.limits, "limit")


def _counter(name: str, values: Mapping[str, float], label: str = "") -> Metric:
    """Return a counter by the values of its label; without one, its only value is under ""."""
    family = CounterMetricFamily(name, HELP[name], labels=(label,) if label else ())
    for at, value in values.items():
        family.add_metric((at,) if label else (), value)
    return family


def _gauge(name: str, values: Mapping[str, float], label: str = "") -> Metric:
    family = GaugeMetricFamily(name, HELP[name], labels=(label,) if label else ())
    for at, value in values.items():
        family.add_metric((at,) if label else (), value)
    return family


def _histogram(name: str, values: Mapping[str, Histogram], label: str = "") -> Metric:
    family = HistogramMetricFamily(name, HELP[name], labels=(label,) if label else ())
    for at, histogram in values.items():
        buckets = [("+Inf" if math.isinf(bound) else repr(bound), count) for bound, count in histogram.cumulative()]
        family.add_metric((at,) if label else (), buckets, sum_value=histogram.total)
    return family
