"""The load reporting service (LRS): asks every client for reports, and turns them into attempts per cluster and place.

After envoy/service/load_stats/v3/lrs.proto. A client reports only once it was answered, and only for clusters that the
answer names, unless it can be told to send all of them.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import grpc
from envoy_data_plane.envoy.config.core.v3 import Address as WireAddress
from envoy_data_plane.envoy.config.core.v3 import Locality
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterStats, UpstreamLocalityStats
from envoy_data_plane.envoy.service.load_stats.v3 import LoadStatsResponse

from xds.model.instance import Address
from xds.model.traffic import MOST_CATEGORIES, OTHER, Attempts
from xds.wire.codec import decode, encode
from xds.wire.scan import key, walk

from .receiving import Call, Door
from .reporter import Reporter, nobody, reporter
from .settings import TelemetrySettings
from .traffic import Traffic
from .windows import Kind, Place

SERVICE: Final = "envoy.service.load_stats.v3.LoadReportingService"
SENDS_ALL: Final = "envoy.lrs.supports_send_all_clusters"
"""The client feature without which `send_all_clusters` means nothing."""

SLICE: Final = 20
"""Clusters of one report that are read before the event loop gets its turn: about a millisecond."""

_NODE, _CLUSTER_STATS = key(1), key(2)  # fields of LoadStatsRequest

Clusters = Callable[[str], Sequence[str]]
"""The names of an environment's clusters, in order."""


class LoadReports:
    """Receives load reports into `traffic`.

    `received` counts reports; the first message of a stream is none.
    """

    def __init__(self, door: Door, traffic: Traffic, clusters: Clusters, settings: TelemetrySettings) -> None:
        self._door = door
        self._traffic = traffic
        self._clusters = clusters
        self._settings = settings
        self.received = 0

    def handler(self) -> grpc.GenericRpcHandler:
        """Return the service for a gRPC server: no (de)serialisers, bytes in and bytes out."""
        method = grpc.stream_stream_rpc_method_handler(self._stream)
        return grpc.method_handlers_generic_handler(SERVICE, {"StreamLoadStats": method})

    async def _stream(self, _requests: object, call: Call) -> None:
        await self._door.admit(call, "lrs", self._converse)

    async def _converse(self, call: Call) -> None:
        first = await call.read()
        if not isinstance(first, bytes):
            return
        client, may_ask = _introduced(first), asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(self._ask(call, client, may_ask))
            await self._take(client, first)
            while isinstance(data := await call.read(), bytes):
                self.received += 1
                may_ask.set()
                await self._take(client, data)
            asking.cancel()

    async def _ask(self, call: Call, client: Reporter, may_ask: asyncio.Event) -> None:
        """Ask for reports, and again when there are other clusters, but once between two reports.

        Envoy counts for a new cluster only from an answer or a report on that comes after it. But each answer begins
        its interval anew: asked at every change, it would never come to report. Sooner than it was told to it may.
        """
        told = self._wanted(client)
        await call.write(self._wish(*told, client))
        may_ask.set()
        while True:
            await self._traffic.tallies.wait(self._settings.notice)
            wanted = self._wanted(client)
            if wanted != told and (may_ask.is_set() or wanted[1] < told[1]):
                may_ask.clear()
                told = wanted
                await call.write(self._wish(*told, client))

    def _wanted(self, client: Reporter) -> tuple[Sequence[str], float]:
        """Return of which clusters a client is to report, and how often (seconds)."""
        is_judged = self._traffic.tallies.is_open(client.env)
        interval = self._settings.judged_interval if is_judged else self._settings.report_interval
        return self._clusters(client.env), interval

    def _wish(self, names: Sequence[str], interval: float, client: Reporter) -> bytes:
        """Return the encoded answer that asks for every cluster, by name where the client needs that."""
        by_name = [] if SENDS_ALL in client.features else list(names)
        return encode(
            LoadStatsResponse(
                clusters=by_name,
                send_all_clusters=not by_name,
                load_reporting_interval=datetime.timedelta(seconds=interval),
                report_endpoint_granularity=True,
            )
        )

    async def _take(self, client: Reporter, data: bytes) -> None:
        """Add one report, in slices that leave the loop its turn."""
        read = 0
        for found, start, stop in walk(data):
            if found != _CLUSTER_STATS:
                continue
            self._add(client, decode(ClusterStats, data[start:stop]))
            read += 1
            if read % SLICE == 0:
                await asyncio.sleep(0)

    def _add(self, client: Reporter, stats: ClusterStats) -> None:
        total, parts = Attempts(drops=_drops(stats)), list[tuple[Place, Attempts]]()
        for locality in stats.upstream_locality_stats:
            attempts = _attempts(locality)
            total.join(attempts)
            parts.append((Place(Kind.LOCALITY, _where(locality.locality)), attempts))
            parts += _endpoints(locality)
        covers = stats.load_report_interval.total_seconds() if stats.load_report_interval else 0.0
        self._traffic.attempted(client, stats.cluster_name, total, parts, covers=covers)


def _introduced(data: bytes) -> Reporter:
    """Return who sent a stream's first message; PeerError if it does not say so."""
    for found, start, stop in walk(data):
        if found == _NODE:
            return reporter(data, start, stop)
    raise nobody()


def _drops(stats: ClusterStats) -> dict[str, int]:
    """Return drops by category; what the total has beyond the named ones (circuit breakers) is under "other"."""
    drops = {each.category[:64] or OTHER: each.dropped_count for each in stats.dropped_requests[:MOST_CATEGORIES]}
    rest = stats.total_dropped_requests - sum(drops.values())
    if rest > 0:
        drops[OTHER] = drops.get(OTHER, 0) + rest
    return {category: count for category, count in drops.items() if count}


def _attempts(stats: UpstreamLocalityStats) -> Attempts:
    errors = stats.total_error_requests
    requests = stats.total_successful_requests + errors
    return Attempts(requests, errors, stats.total_issued_requests, stats.total_requests_in_progress)


def _endpoints(locality: UpstreamLocalityStats) -> Iterator[tuple[Place, Attempts]]:
    for stats in locality.upstream_endpoint_stats:
        at = _address(stats.address)
        if at:
            errors = stats.total_error_requests
            requests = stats.total_successful_requests + errors
            yield Place(Kind.ENDPOINT, at), Attempts(requests, errors, stats.total_issued_requests)


def _address(wire: WireAddress | None) -> str:
    """Return `host:port`, or "" for what is no socket address (nothing of ours)."""
    socket = wire.socket_address if wire is not None else None
    return str(Address(socket.address[:64], socket.port_value or 0)) if socket is not None else ""


def _where(locality: Locality | None) -> str:
    """Return `region/zone`, either of which may be missing."""
    return "" if locality is None else f"{locality.region[:128]}/{locality.zone[:128]}".strip("/")
