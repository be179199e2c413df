"""How a rollout and a service stand, as the control plane tells its edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xds.control.gate import GateState, GateStatus, NodeGate
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
        """Return `blocked` while the gate is, or where a judgement has stopped the plan; the phase otherwise."""
        return "blocked" if self._waits or self.rollout.is_doubted else self.rollout.phase.value

    @property
    def reason(self) -> str:
        """Return why it stands as it does, in words."""
        return self.gate.reason if self._waits else self.rollout.reason

    @property
    def _waits(self) -> bool:
        blocked = self.gate.state is GateState.BLOCKED
        return blocked and not self.rollout.phase.is_over and not self.rollout.acked


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """A service as it is wanted (weights in 10,000ths), as it is published, and as each live node has it."""

    view: ServiceView
    revision: int
    wanted: Mapping[str, int]
    effective: Mapping[str, int]
    nodes: tuple[NodeGate, ...]
    problems: tuple[Problem, ...]
