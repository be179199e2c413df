"""An instance's health explained: every word about it, and whose decided."""

from __future__ import annotations

from xds.api.schemas.verdict import SignalOut, VerdictOut
from xds.control.plane import ControlPlane


def verdict_out(plane: ControlPlane, instance_id: str) -> VerdictOut:
    """Return why an instance is as healthy as it is."""
    verdict = plane.health.verdict(instance_id)
    return VerdictOut(
        health=verdict.health.value,
        decided_by=verdict.source,
        why=verdict.signal.why,
        overruled=list(verdict.overruled),
        signals=[
            SignalOut(source=source, health=word.health.value, why=word.why, numbers=dict(word.numbers))
            for source, word in sorted(plane.health.words(instance_id).items())
        ],
    )
