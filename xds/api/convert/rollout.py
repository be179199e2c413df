"""Rollouts and gates, both ways."""

from __future__ import annotations

from xds.api.convert.analysis import analysis_of, analysis_out, judgement_out
from xds.api.convert.pointers import under
from xds.api.convert.preview import preview_of, preview_out
from xds.api.convert.weights import maybe_duration, percents
from xds.api.scalars import write_percent
from xds.api.schemas.rollout import GateOut, NodeGateOut, RolloutIn, RolloutOut, StepIn, StepOut
from xds.control.gate import GateStatus, NodeGate
from xds.control.status import RolloutStatus
from xds.model.declare import StartRollout
from xds.model.names import ServiceKey
from xds.model.rollout import Step
from xds.model.split import weight_from_percent


def start_of(document: RolloutIn, env: str) -> StartRollout:
    """Return the declaration that a document asks for."""
    plan = tuple(_step(step, f"/plan/{at}") for at, step in enumerate(document.plan))
    service, preview = ServiceKey.of(document.service, env), preview_of(document.preview, document.version)
    analysis = analysis_of(document.analysis)
    owner = f"file:{document.set}" if document.set else ""
    return StartRollout(service, document.version, plan, document.auto_promote, preview, analysis, owner)


def rollout_out(status: RolloutStatus, change: int) -> RolloutOut:
    """Return a rollout as a document; `change` is the counter to wait on."""
    rollout = status.rollout
    return RolloutOut(
        id=rollout.id,
        service=rollout.service.name,
        env=rollout.service.env,
        version=rollout.version,
        stable=rollout.stable,
        phase=rollout.phase.value,
        state=status.state,
        reason=status.reason,
        weight=write_percent(rollout.weight),
        step=rollout.step,
        plan=[StepOut(weight=write_percent(step.weight), pause=maybe_duration(step.pause)) for step in rollout.plan],
        auto_promote=rollout.auto_promote,
        preview=preview_out(rollout.preview),
        analysis=analysis_out(rollout.analysis),
        judgement=judgement_out(status.judgement or rollout.last_judgement),
        gate=gate_out(status.gate),
        revision=status.revision,
        change=change,
        owner=rollout.owner,
    )


def gate_out(gate: GateStatus) -> GateOut:
    """Return a gate as a document."""
    return GateOut(
        state=gate.state.value,
        reason=gate.reason,
        acked=gate.acked,
        live=gate.live,
        nodes=[node_gate_out(node) for node in gate.nodes],
    )


def node_gate_out(node: NodeGate) -> NodeGateOut:
    """Return one node's part of a gate as a document."""
    return NodeGateOut(
        node=node.node,
        wanted=percents(node.wanted) or {},
        sent=percents(node.sent),
        acked=percents(node.acked),
        state=node.state.value,
        message=node.message,
    )


def _step(document: StepIn, place: str) -> Step:
    with under(place):
        return Step(weight_from_percent(document.weight, pointer="/weight"), document.pause)
