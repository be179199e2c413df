"""A service's traffic, outward: which clusters are its, and whose the endpoints are."""

from __future__ import annotations

from collections.abc import Mapping

from xds.api.schemas.traffic import (
    AnswersOut,
    AttemptsOut,
    EndpointTraffic,
    LocalityTraffic,
    NodeTraffic,
    SubsetTraffic,
    TrafficOut,
)
from xds.control.analysis import hosts_of
from xds.control.measuring import Traffic
from xds.control.plane import ControlPlane
from xds.model.duration import write_duration
from xds.model.names import ServiceKey
from xds.model.problems import NotFound
from xds.model.traffic import Answers, Attempts, Measured, success_rate
from xds.model.view import ServiceView


def traffic_out(
    plane: ControlPlane, traffic: Traffic, key: ServiceKey, *, seconds: float | None, nodes: bool
) -> TrafficOut:
    """Return what was measured of each subset of a service; NotFound."""
    view = plane.intent.view(key)
    if view is None:
        raise NotFound(f"service {key} does not exist")
    window = traffic.seconds if seconds is None else min(seconds, traffic.seconds)
    hosts, instances = hosts_of(plane.intent, key), _instances(view)
    subsets = []
    for subset in view.subsets:
        clusters = [f"{host}/{subset}" for host in hosts]
        measured = traffic.measured(key.env, clusters, window)
        subsets.append(_subset_out(subset, clusters, measured, instances, nodes=nodes))
    return TrafficOut(service=key.name, env=key.env, window=write_duration(window), subsets=subsets)


def _instances(view: ServiceView) -> dict[str, str]:
    """Return the instance behind each address that traffic is sent to."""
    return {
        str(member.instance.endpoint(port)): member.instance.id
        for member in view.members
        for port in member.instance.ports
    }


def _subset_out(
    name: str, clusters: list[str], measured: Measured, instances: Mapping[str, str], *, nodes: bool
) -> SubsetTraffic:
    return SubsetTraffic(
        name=name,
        clusters=clusters,
        answers=_answers_out(measured.answers),
        attempts=_attempts_out(measured.attempts),
        endpoints=[
            EndpointTraffic(
                address=address,
                instance=instances.get(address),
                requests=attempts.requests,
                errors=attempts.errors,
                success=_success(attempts),
            )
            for address, attempts in measured.endpoints.items()
        ],
        localities=[
            LocalityTraffic(
                locality=locality, requests=attempts.requests, errors=attempts.errors, success=_success(attempts)
            )
            for locality, attempts in measured.localities.items()
        ],
        nodes=_nodes_out(measured) if nodes else None,
    )


def _nodes_out(measured: Measured) -> list[NodeTraffic]:
    return [
        NodeTraffic(
            node=node,
            answers=_answers_out(measured.answers_by_node.get(node)),
            attempts=_attempts_out(measured.attempts_by_node.get(node)),
        )
        for node in sorted({*measured.answers_by_node, *measured.attempts_by_node})
    ]


def _answers_out(answers: Answers | None) -> AnswersOut | None:
    if answers is None:
        return None
    p50, p99 = answers.latency.quantile(0.5), answers.latency.quantile(0.99)
    return AnswersOut(
        requests=answers.requests,
        errors=answers.errors,
        success=_success(answers),
        p50_ms=None if p50 is None else round(p50, 3),
        p99_ms=None if p99 is None else round(p99, 3),
    )


def _attempts_out(attempts: Attempts | None) -> AttemptsOut | None:
    if attempts is None:
        return None
    return AttemptsOut(
        requests=attempts.requests,
        errors=attempts.errors,
        success=_success(attempts),
        issued=attempts.issued,
        in_progress=attempts.in_progress,
        drops=dict(sorted(attempts.drops.items())),
    )


def _success(measured: Answers | Attempts) -> float | None:
    rate = success_rate(measured)
    return None if rate is None else round(rate * 100, 2)
