"""Telemetry in one piece: what the composition root makes, and what the listeners and the API get of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import grpc

from xds.cache.roster import Roster
from xds.cache.table import Cache
from xds.model.alarm import Alarm
from xds.model.problems import Problem

from .breakers import Breakers
from .load_reports import Clusters, LoadReports
from .loop_lag import LoopLag
from .metrics_service import Metrics
from .opinions import Opinions, View
from .prometheus import Exposition, Sources
from .receiving import Authorize, Door
from .settings import TelemetrySettings
from .streams import StreamCounts
from .traffic import Traffic

DEFAULTS: Final = TelemetrySettings()


class Telemetry:
    """Receives (`services`), counts (`streams`), remembers (`traffic`, `breakers`) and shows (`exposition`).

    `clusters` names an environment's clusters, `view` gives a service, `problems` and `alarms` are those that stand,
    `store_age` tells for how many seconds the store has been away; `clock` gives monotonic seconds, the same as the
    roster's. `opinions` are words about instances.
    """

    def __init__(  # noqa: PLR0913 - what it is plugged into, all by name
        self,
        *,
        roster: Roster,
        cache: Cache,
        problems: Callable[[], Iterable[Problem]],
        clusters: Clusters,
        view: View,
        authorize: Authorize,
        clock: Callable[[], float],
        settings: TelemetrySettings = DEFAULTS,
        alarms: Callable[[], Iterable[Alarm]] = tuple,
        store_age: Callable[[], float] = float,
    ) -> None:
        self.streams = StreamCounts()
        self.traffic = Traffic(clock, settings)
        self.breakers = Breakers(clock, clusters, settings)
        self.opinions = Opinions(self.traffic, self.breakers, view, clock)
        self._lag = LoopLag(clock)
        self._door = Door(authorize)
        load_reports = LoadReports(self._door, self.traffic, clusters, settings)
        metrics = Metrics(self._door, self.traffic, self.breakers)
        self.services: tuple[grpc.GenericRpcHandler, ...] = (load_reports.handler(), metrics.handler())
        sources = Sources(
            self.streams,
            self._lag,
            self._door,
            load_reports,
            metrics,
            self.traffic,
            self.breakers,
            roster,
            cache,
            problems,
            clock,
            alarms,
            store_age,
        )
        self._exposition = Exposition(sources)

    def exposition(self) -> bytes:
        """Return the control plane's own metrics in Prometheus' text format, version 0.0.4."""
        return self._exposition.text()

    async def run(self) -> None:
        """Measure the event loop until cancelled."""
        await self._lag.run()

    def close(self) -> None:
        """End every stream of reports; before the listener stops, which would wait for them."""
        self._door.close()
