"""A service explained, and problems, outward."""

from __future__ import annotations

from xds.api.convert.breaker import breakers_of
from xds.api.convert.overlay import overlays_of
from xds.api.convert.policy import holds_out
from xds.api.convert.proposal import proposals_of
from xds.api.convert.rollout import node_gate_out
from xds.api.convert.route import route_out
from xds.api.convert.verdict import verdict_out
from xds.api.convert.weights import percents
from xds.api.scalars import write_percent
from xds.api.schemas.report import ExplainOut, MemberOut, StandingProblem, SubsetReport
from xds.control.measuring import Breakers
from xds.control.plane import ControlPlane
from xds.control.status import ServiceStatus
from xds.model.intent import ref
from xds.model.names import ServiceKey
from xds.model.problems import Problem
from xds.model.view import Member
from xds.translate import naming


def explain(plane: ControlPlane, breakers: Breakers, key: ServiceKey) -> ExplainOut:
    """Return everything between a service's instances and what each Envoy has acknowledged; NotFound.

    `breakers` is what Envoys tell of theirs.
    """
    status = plane.service_status(key)
    view = status.view
    rollout = plane.intent.rollout_of(key)
    revisions = plane.intent.revisions
    return ExplainOut(
        service=key.name,
        env=key.env,
        stable=view.service.stable,
        revision=status.revision,
        instances=[member_out(plane, member) for member in view.members],
        subsets=[subset_out(name, members, status) for name, members in view.subsets.items()],
        wanted=percents(status.wanted) or {},
        effective=percents(status.effective) or {},
        nodes=[node_gate_out(node) for node in status.nodes],
        routes=[route_out(route, revision=revisions.get(ref(route), 0)) for route in view.routes],
        rollout=None if rollout is None else rollout.id,
        policy=holds_out(plane.policy(key)),
        proposals=proposals_of(plane.intent, key),
        overlays=overlays_of(plane, key),
        breakers=list(breakers_of(plane, key, breakers.reported(key.env)).values()),
        problems=[problem_out(problem) for problem in status.problems],
    )


def problem_out(problem: Problem) -> StandingProblem:
    """Return a problem as a document."""
    return StandingProblem(
        kind=problem.kind,
        object=problem.object,
        pointer=problem.pointer,
        message=problem.message,
        severity=problem.severity.value,
    )


def member_out(plane: ControlPlane, member: Member) -> MemberOut:
    """Return an instance as traffic sees it."""
    instance = member.instance
    return MemberOut(
        id=instance.id,
        address=str(instance.endpoint(next(iter(instance.ports)))),
        version=instance.version,
        weight=member.weight,
        zone=instance.zone,
        health=member.health.value,
        serves=member.serves,
        leaving=member.leaving,
        held=member.held,
        verdict=verdict_out(plane, instance.id),
        overlays=[overlay.id for overlay in plane.intent.overlays.on(instance)],
    )


def subset_out(name: str, members: tuple[Member, ...], status: ServiceStatus) -> SubsetReport:
    """Return a subset of a service with its share."""
    return SubsetReport(
        name=name,
        clusters=[naming.cluster(status.view.key.name, name)],
        members=[member.instance.id for member in members],
        serving=sum(member.serves for member in members),
        wanted=write_percent(status.wanted.get(name, 0)),
        effective=write_percent(status.effective.get(name, 0)),
    )
