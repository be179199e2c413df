"""What control and the API need of telemetry, as protocols; `xds.app` plugs the real parts in."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from xds.model.breaker import Reported
from xds.model.traffic import Measured, Sample


class Tally(Protocol):
    """What Envoys report of groups of clusters from a moment on."""

    def read(self) -> Sequence[Sample]:
        """Return what was reported until now, in the order of the groups."""
        ...

    def close(self) -> None:
        """Count no more."""
        ...


class Tallying(Protocol):
    """Who counts for whoever judges."""

    def tally(self, env: str, groups: Sequence[Collection[str]]) -> Tally:
        """Return what counts each of these groups of clusters from now on, until it is closed."""
        ...


class Traffic(Tallying, Protocol):
    """What Envoys measured lately, and what counts from now on."""

    @property
    def seconds(self) -> float:
        """How far back it is known, at most."""
        ...

    def measured(self, env: str, clusters: Sequence[str], seconds: float | None = None) -> Measured:
        """Return what was measured of these clusters together over the last `seconds`, all there is without."""
        ...


class Breakers(Protocol):
    """How breakers stand, as Envoys tell it."""

    def reported(self, env: str) -> Mapping[str, Mapping[str, Reported]]:
        """Return what is known of an environment's breakers, by cluster and node, both in order."""
        ...

    def of_node(self, node: str) -> Mapping[str, Reported]:
        """Return what one Envoy tells, by cluster, in order."""
        ...
