"""Instances as endpoints: the only maker of ClusterLoadAssignment.

An instance is encoded when it or its health changes and never again (see `assembly`). Failing instances stay,
so that Envoy's panic threshold can work; draining ones and those of weight 0 leave, because a host that is marked in
place still gets new requests under panic, and a removed one only finishes what it has. The last ones stay: endpoints
travel before routes, and Envoy does not retry when a cluster is empty (measured: 503 for that subset's users until the
route that falls back arrives).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from xds.model.health import DRAINING, STARTING, UNHEALTHY, UNSTABLE
from xds.model.instance import Instance
from xds.model.view import Member
from xds.wire.endpoint import cluster_load_assignment, entry, lb_endpoint, locality_endpoints

_HEALTHY, _UNHEALTHY = 1, 2  # envoy.config.core.v3.HealthStatus
UNSTABLE_SHARE = 4
"""An unstable instance keeps one part in so many of its weight (DEGRADED would be a tier, not a weight)."""

Locality = tuple[str, str]
"""Region and zone."""
NOWHERE: Locality = ("", "")


class Endpoint(NamedTuple):
    """One member as EDS shows it: a fragment per port that it has, "" for its own, each an entry of its locality."""

    member: Member
    locality: Locality
    fragments: Mapping[str, bytes]


def endpoint(member: Member) -> Endpoint:
    """Return a member encoded."""
    instance = member.instance
    weight, health = max(1, member.weight), _HEALTHY
    if member.health is UNSTABLE:
        weight = max(1, weight // UNSTABLE_SHARE)
    elif member.health is UNHEALTHY:
        health = _UNHEALTHY
    facts = {"instance": instance.id}
    fragments: dict[str, bytes] = {}
    for at, (port, number) in enumerate(instance.ports.items()):
        host = instance.address
        if instance.ingress is not None and not at:  # as in `Instance.endpoint`
            host, number = instance.ingress.host, instance.ingress.port  # noqa: PLW2901 - where it goes instead
        fragments[port if at else ""] = entry(lb_endpoint(host, number, health=health, weight=weight, metadata=facts))
    return Endpoint(member, locality_of(member), fragments)


def locality_of(member: Member) -> Locality:
    """Return where a member is."""
    return (member.instance.region, member.instance.zone)


def is_parked(member: Member) -> bool:
    """Say whether a member gets no requests on purpose: it drains, starts, or has weight 0."""
    return member.weight == 0 or member.health is DRAINING or member.health is STARTING


def is_shown(member: Member) -> bool:
    """Say whether EDS shows a member while somebody of its subset serves."""
    return not (member.leaving or is_parked(member))


def named_ports(instance: Instance) -> Sequence[str]:
    """Return the ports beyond the first, each of which is a service of its own."""
    return list(instance.ports)[1:] if len(instance.ports) > 1 else ()


def present(members: Sequence[Member], *, elsewhere: bool) -> Sequence[Endpoint]:
    """Return those of a subset that EDS shows; `elsewhere` tells whether another subset can take its requests.

    Parked ones leave once somebody else of the subset serves. Until then they stay where routes lead away from them
    anyway; where nobody serves at all, one that drains is better than none, and weight 0 keeps its word. Who was
    never ready is not shown even then.
    """
    if any(member.serves for member in members):
        found = [member for member in members if not is_parked(member)]
    else:
        known = [member for member in members if member.health is not STARTING]
        found = [member for member in known if elsewhere or member.weight]
    return [endpoint(member) for member in found]


def assignment(cluster: str, endpoints: Iterable[Endpoint], port: str = "") -> bytes:
    """Return the encoded ClusterLoadAssignment of those `endpoints` that have `port`, grouped by region and zone.

    Localities are in order of their names and all of priority 0; see `tiers` for who comes first seen from a place.
    """
    groups: dict[Locality, list[bytes]] = {}
    for each in endpoints:
        fragment = each.fragments.get(port)
        if fragment is not None:
            groups.setdefault(each.locality, []).append(fragment)
    return cluster_load_assignment(cluster, tiers(groups))


def tiers(groups: Mapping[Locality, Iterable[bytes]], place: Locality = NOWHERE) -> list[bytes]:
    """Return the endpoints of each region and zone, encoded, as an Envoy at `place` prefers them.

    Its own zone is priority 0, its region the next, everything else the last; priorities have no gaps, because Envoy
    refuses those. Seen from nowhere, all are alike.
    """
    order = sorted(groups, key=lambda locality: (_distance(place, locality), locality))
    levels = sorted({_distance(place, locality) for locality in order})
    return [
        locality_endpoints(*locality, priority=levels.index(_distance(place, locality)), entries=groups[locality])
        for locality in order
    ]


def _distance(place: Locality, locality: Locality) -> int:
    """Return 0 for the same zone, 1 for the same region, 2 for elsewhere; from nowhere all are alike."""
    region, zone = place
    if place == NOWHERE or (locality == place if zone else locality[0] == region):
        return 0
    return 1 if region and locality[0] == region else 2
