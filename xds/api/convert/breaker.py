"""Breakers and limits: from documents to values of the model, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any, Literal  # Any: the keyword arguments that two documents share

from xds.api.convert.weights import maybe_duration
from xds.api.schemas.breaker import (
    BreakerModel,
    BreakerOut,
    ClusterBreaker,
    ForcedOut,
    ForceIn,
    LimitsIn,
    LimitsOut,
    NodeBreaker,
)
from xds.control.plane import ControlPlane
from xds.model.breaker import Forced, ForcedState, Limits, Reported, Rule
from xds.model.names import ServiceKey
from xds.model.service import Service
from xds.translate import naming

AllReported = Mapping[str, Mapping[str, Reported]]
"""What Envoys tell, by cluster and node."""


def breaker_of(document: BreakerModel | None) -> Rule | Literal[False] | None:
    """Return the rule of a document as it was said, so that what it leaves out follows the defaults of any release."""
    if document is None:
        return None
    return document.model_dump(exclude_unset=True, exclude={"enabled"}) if document.enabled else False


def limits_of(document: LimitsIn | None) -> Limits | None:
    """Return the limits of a document."""
    return None if document is None else Limits(**document.model_dump())


def limits_out(limits: Limits | None) -> LimitsOut | None:
    """Return limits as a document."""
    return None if limits is None else LimitsOut(**asdict(limits))


def forced_of(document: ForceIn, by: str, now: datetime) -> Forced:
    """Return what a document that is said `now` asks to hold a breaker at."""
    held = Forced(ForcedState(document.force), by, document.reason, document.expires_in)  # refuses times out of range
    return held if held.lasts is None else replace(held, until=now + timedelta(seconds=held.lasts))


def forced_out(plane: ControlPlane, service: Service) -> Mapping[str, ForcedOut]:
    """Return the breakers of a service that operators hold, by subset."""
    return {
        subset: ForcedOut(
            force=held.state.value, by=held.by, reason=held.reason, expires_in=_left(plane, service, subset)
        )
        for subset, held in service.forced.items()
    }


def _left(plane: ControlPlane, service: Service, subset: str) -> str | None:
    left = plane.forced_for(service.key, subset)
    return maybe_duration(None if left is None else float(math.ceil(left)))


def breakers_of(plane: ControlPlane, key: ServiceKey, reported: AllReported) -> dict[str, BreakerOut]:
    """Return the breakers of a service by cluster: of versions with users, forced ones, and those that Envoys tell of.

    `reported` is what is told of the service's environment. Without a rule, a force or a word there is none.
    """
    service = plane.intent.services.get(key)
    if service is None:
        return {}
    rule = plane.policy(key).breaker
    wanted = {subset for subset in plane.intent.wanted(key) if subset} if rule is not None else set()
    clusters = {naming.cluster(key.name, subset) for subset in {*wanted, *service.forced}}
    clusters |= {cluster for cluster in reported if _owner(plane, key.env, cluster) == key}
    forced = forced_out(plane, service)
    found = {}
    for cluster in sorted(clusters):
        subset = naming.read_cluster(cluster).subset
        found[cluster] = BreakerOut(
            service=key.name,
            env=key.env,
            subset=subset,
            cluster=cluster,
            rule=None if rule is None else rule.model_dump(),
            forced=forced.get(subset),
            nodes=[NodeBreaker(node=node, **_counts(held)) for node, held in reported.get(cluster, {}).items()],
        )
    return found


def node_breakers(told: Mapping[str, Reported]) -> list[ClusterBreaker]:
    """Return what one Envoy tells of its breakers."""
    return [ClusterBreaker(cluster=cluster, **_counts(held)) for cluster, held in told.items()]


def _counts(held: Reported) -> dict[str, Any]:
    return {**asdict(held), "state": held.state.words}


def _owner(plane: ControlPlane, env: str, cluster: str) -> ServiceKey | None:
    """Return whose cluster it is: of the service it names, or of the one whose named port that is."""
    name = naming.read_cluster(cluster).service
    while ServiceKey(env, name) not in plane.intent.services:
        name, dot, _ = name.rpartition(".")
        if not dot:
            return None
    return ServiceKey(env, name)
