"""Instances as endpoints: the only maker of ClusterLoadAssignment.

An instance is encoded when it or its health changes and never again; an assignment is a join. Failing instances stay,
so that Envoy's panic threshold can work; draining ones and those of weight 0 leave, because a host that is marked in
place still gets new requests under panic, and a removed one only finishes what it has. The last ones stay: endpoints
travel before routes, and Envoy does not retry when a cluster is empty (measured: 503 for that subset's users until the
route that falls back arrives).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from xds.model.health import Health
from xds.model.instance import Instance
from xds.model.view import Member
from xds.wire.endpoint import cluster_load_assignment, lb_endpoint, locality_endpoints

from .policy import OwnLabels, own_labels

_HEALTHY, _UNHEALTHY = 1, 2  # envoy.config.core.v3.HealthStatus
UNSTABLE_SHARE = 4
"""An unstable instance keeps one part in so many of its weight (DEGRADED would be a tier, not a weight)."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One member as EDS shows it: a fragment per port that it has, "" for its own.

    `parked` ones get no requests on purpose: they drain, or have weight 0. `policy` are its labels that are policy.
    """

    member: Member
    locality: tuple[str, str]
    fragments: Mapping[str, bytes]
    parked: bool
    policy: OwnLabels = ()

    def stands_for(self, member: Member) -> bool:
        """Say whether `member` would give the same fragments."""
        mine = self.member
        same = mine.instance is member.instance and mine.health is member.health
        return same and mine.leaving == member.leaving and mine.weighed == member.weighed


Endpoints = dict[str, Endpoint]


def refresh(known: Mapping[str, Endpoint], members: Iterable[Member]) -> Endpoints:
    """Return the endpoints of `members` by instance id, those that did not change taken from `known`."""
    fresh: Endpoints = {}
    for member in members:
        endpoint = known.get(member.instance.id)
        fresh[member.instance.id] = (
            endpoint if endpoint is not None and endpoint.stands_for(member) else _endpoint(member)
        )
    return fresh


def named_ports(instance: Instance) -> Sequence[str]:
    """Return the ports beyond the first, each of which is a service of its own."""
    return list(instance.ports)[1:] if len(instance.ports) > 1 else ()


def present(endpoints: Sequence[Endpoint], *, elsewhere: bool) -> Sequence[Endpoint]:
    """Return those of a subset that EDS shows; `elsewhere` tells whether another subset can take its requests.

    Parked ones leave once somebody else of the subset serves. Until then they stay where routes lead away from them
    anyway; where nobody serves at all, one that drains is better than none, and weight 0 keeps its word.
    """
    if not any(endpoint.parked for endpoint in endpoints):
        return endpoints
    if any(endpoint.member.serves for endpoint in endpoints):
        return [endpoint for endpoint in endpoints if not endpoint.parked]
    return [endpoint for endpoint in endpoints if elsewhere or endpoint.member.weight]


def assignment(cluster: str, endpoints: Iterable[Endpoint], port: str = "") -> bytes:
    """Return the encoded ClusterLoadAssignment of those `endpoints` that have `port`, grouped by region and zone.

    Localities are in order of their names and all of priority 0: `_priority` is where a zone comes first.
    """
    groups: dict[tuple[str, str], list[bytes]] = {}
    for endpoint in endpoints:
        fragment = endpoint.fragments.get(port)
        if fragment is not None:
            group = groups.get(endpoint.locality)
            if group is None:
                groups[endpoint.locality] = [fragment]
            else:
                group.append(fragment)
    return cluster_load_assignment(
        cluster,
        [
            locality_endpoints(*locality, priority=_priority(locality), endpoints=groups[locality])
            for locality in sorted(groups)
        ],
    )


def _priority(_locality: tuple[str, str]) -> int:
    """Return the tier of a locality; one tier until assignments know from which zone they are looked at."""
    return 0


def _endpoint(member: Member) -> Endpoint:
    instance = member.instance
    locality = (instance.region, instance.zone)
    parked = member.weight == 0 or member.health is Health.DRAINING
    weight, health = max(1, member.weight), _HEALTHY
    if member.health is Health.UNSTABLE:
        weight = max(1, weight // UNSTABLE_SHARE)
    elif member.health is Health.UNHEALTHY:
        health = _UNHEALTHY
    facts = {"instance": instance.id}
    fragments: dict[str, bytes] = {}
    for at, port in enumerate(instance.ports):
        address = instance.endpoint(port)
        if address is not None:
            fragments[port if at else ""] = lb_endpoint(
                address.host, address.port, health=health, weight=weight, metadata=facts
            )
    return Endpoint(member, locality, fragments, parked, own_labels(instance.labels))
