"""What follows from what was sensed, as values: somebody with sockets does it (`follow.py`)."""

from __future__ import annotations

from dataclasses import dataclass

from xds.model.check import Check
from xds.model.signal import Signal
from xds.sources.docker.addresses import Candidate
from xds.sources.docker.registration import Registration


@dataclass(frozen=True, slots=True)
class Inspect:
    """Ask the engine about a container."""

    id: str


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask one of a container's places; `life` and the place's number, `at`, come back with the answer."""

    id: str
    life: int
    at: int
    place: Candidate
    check: Check


@dataclass(frozen=True, slots=True)
class Watch:
    """Be told when this process of a container ends."""

    id: str
    pid: int


@dataclass(frozen=True, slots=True)
class Register:
    """Register an instance, or say something else of it."""

    registration: Registration


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take an instance out at once; `why` in words."""

    instance_id: str
    epoch: int
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    """Say what the engine's own check says of an instance that is registered, or was by an earlier agent."""

    instance_id: str
    signal: Signal


Effect = Inspect | Ask | Watch | Register | Withdraw | Report
