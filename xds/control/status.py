"""How a rollout and a service stand, as the control plane tells its edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xds.control.gate import GateStatus, NodeGate
from xds.model.analysis import Judgement
from xds.model.problems import Problem
from xds.model.rollout import Rollout
from xds.model.view import ServiceView


@dataclass(frozen=True, slots=True)
class RolloutStatus:
    """A rollout with the state of its gate, and how it is judged; `state` is its phase, or `blocked`."""

    rollout: Rollout
    revision: int
    gate: GateStatus
    judgement: Judgement | None = None

    @property
    def state(self) -> str:
        """Return `blocked` while the gate is, the phase otherwise."""
        return self.gate.state.value if self.gate.state == "blocked" and self._waits else self.rollout.phase.value

    @property
    def _waits(self) -> bool:
        return not self.rollout.phase.is_over and not self.rollout.acked


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """A service as it is wanted (weights in 10,000ths), as it is published, and as each live node has it."""

    view: ServiceView
    revision: int
    wanted: Mapping[str, int]
    effective: Mapping[str, int]
    nodes: tuple[NodeGate, ...]
    problems: tuple[Problem, ...]
