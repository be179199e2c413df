"""A signal: what one source says of an instance's health, why, and with which numbers.

A source's word stands until it says otherwise. What several words come to is `fusion.py`'s knowledge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xds.model.health import Health


@dataclass(frozen=True, slots=True)
class Signal:
    """One source's word. `why` is for people; `numbers` are what it rests on, by name (`success_rate`, `p99_ms`)."""

    health: Health
    why: str
    numbers: Mapping[str, float] = field(default_factory=dict)
