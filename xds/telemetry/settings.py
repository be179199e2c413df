"""What is asked of Envoys, how much of it is kept, and what one of them may cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """Times in seconds. Metrics come at the pace of the bootstrap (`stats_flush_interval`), not of these settings."""

    report_interval: float = 10.0
    """What load reports are asked for: one each so many seconds."""
    judged_interval: float = 2.0
    """... and in an environment where a rollout is judged by them, so that a bad version is seen within seconds."""
    notice: float = 2.0
    """How often each stream of load reports looks for new clusters; their traffic before that is not reported."""
    slots: int = 6
    slot_width: float = 10.0
    """A window reaches back this many slots of this width; narrower slots than reports come in stay empty."""
    most_places: int = 100_000
    """Sums that one slot of one window holds, of all Envoys together: 25 MB of attempts, thrice that of answers."""
    most_places_per_node: int = 10_000
    """... and of one Envoy, so that one that invents names takes no room from others."""
    longest_name: int = 300
    """Characters of a cluster's name; a longer one is none of ours."""
