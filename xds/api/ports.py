"""What the API shows beyond the control plane, as a protocol; `xds.app` plugs it in."""

from __future__ import annotations

from typing import Protocol

from xds.control.measuring import Breakers, Traffic


class Telemetry(Protocol):
    """What Envoys measure, and what the control plane measures of itself."""

    @property
    def traffic(self) -> Traffic:
        """What Envoys measured lately."""
        ...

    @property
    def breakers(self) -> Breakers:
        """How breakers stand in each Envoy."""
        ...

    def exposition(self) -> bytes:
        """Return the control plane's own metrics in Prometheus' text format, version 0.0.4."""
        ...
