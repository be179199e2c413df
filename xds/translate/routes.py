"""Splits and routes as route configurations: the only maker of Route, VirtualHost and RouteConfiguration.

A rule is encoded once per change of its route or its weights; a virtual host is a join of rules, a route
configuration a join of virtual hosts. What the filter needs (segments, key, salt) rides in each route's metadata, so
that weights and facts are one version and one ACK.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.config.route.v3 import DirectResponseAction, RouteAction, RouteConfiguration
from envoy_data_plane.envoy.config.route.v3 import Route as RouteMessage
from envoy_data_plane.google.protobuf import Any as AnyMessage

from xds.model.names import ServiceKey
from xds.model.preview import Conditions, Preview
from xds.model.route import PathMatch, Route
from xds.model.service import Service
from xds.model.split import KeySource, Split, SplitKey
from xds.wire.codec import encode
from xds.wire.filter_schema import BUCKET_HEADER, FilterKey, RouteBreaker, RouteFacts
from xds.wire.fragments import field, join_repeated, text, varint

from . import naming
from .matches import CATCH_ALL, Order, Signature, encoded_match, everything, order, signature
from .metadata import metadata, told_by
from .splits import clusters_of
from .treatment import Treated

# Field numbers of envoy.config.route.v3, for what is written at every step: message classes validate themselves, which
# costs more than all the rest. The goldens, read back by those classes, hold them to it.
_ROUTE_MATCH, _ROUTE_ACTION, _ROUTE_METADATA, _ROUTE_DIRECT, _ROUTE_NAME = 1, 2, 4, 7, 14
_ACTION_WEIGHTED = 3
_WEIGHTED_CLUSTERS, _WEIGHTED_HEADER = 1, 4
_WEIGHT_NAME, _WEIGHT = 1, 2
_HOST_NAME, _HOST_DOMAINS, _HOST_ROUTES = 1, 2, 3
_CONFIGURATION_HOSTS = 2


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go: among which clusters of a port ("" is the service's own), and past which breakers."""

    split: Split
    port: str = ""
    breaker: RouteBreaker | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A preview, and where the requests go that it is for."""

    preview: Preview
    target: Target


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as encoded Routes, in the order of matching.

    One for each group of methods that is treated alike, and before those the same of a preview: whatever the rule
    matches, the preview's requests among them go to its version.

    `name` is the route's key name, or the service's for what it answers by itself. `weights` are those of the service's
    own split after fall-back, None for a rule with a split of its own; `named_port` tells that they hold for a port
    where other subsets may serve than on the service's own. `signature` is None for the catch-all, which every other
    rule may shadow. `match` tells which requests it is for. `needs` are the clusters it leads to. `also` is another
    service that gets copies, "" for none; Envoy passes over a cluster for copies that it has not got, so nothing waits
    for that one.
    """

    order: Order
    signature: Signature | None
    service: ServiceKey
    name: str
    match: bytes
    bodies: tuple[bytes, ...]
    weights: Mapping[str, int] | None
    named_port: bool
    needs: frozenset[str]
    also: str = ""


def rule(treated: Treated, route: Route, target: Target, shown: Shown | None = None, *, inherits: bool) -> Rule:
    """Return the rule of a declared route with the effective split; InvalidInput for what Envoy would refuse."""
    match = encoded_match(route.path, route.methods, route.headers, route.cookies, route.queries)
    bodies = (*_previewed(treated, route.key.name, route, shown), *_bodies(treated, route.key.name, route, target))
    weights = target.split.weights if inherits else None
    also = treated.mirror.service if treated.mirror else ""
    at, what, needs = order(route), signature(route), _needs(treated.service, target, shown)
    key, named_port = treated.service.key, bool(target.port)
    return Rule(at, what, key, route.key.name, match, bodies, weights, named_port, needs, also)


def catch_all(treated: Treated, target: Target, shown: Shown | None = None) -> Rule:
    """Return the rule by which a service answers under its own name whatever its routes do not match."""
    key, name = treated.service.key, naming.host(treated.service.key.name, target.port)
    bodies = (*_previewed(treated, name, None, shown), *_bodies(treated, name, None, target))
    needs = _needs(treated.service, target, shown)
    also = treated.mirror.service if treated.mirror else ""
    weights, named_port = target.split.weights, bool(target.port)
    return Rule(CATCH_ALL, None, key, name, everything(), bodies, weights, named_port, needs, also)


def withheld(hidden: Rule) -> bytes:
    """Return the encoded Route that says no to what `hidden` would take, so that no rule after it gets it instead."""
    message = f"{hidden.service.name} is not among the upstreams of this sidecar\n"
    answer = DirectResponseAction(status=404, body=DataSource(inline_string=message))
    name, match = text(_ROUTE_NAME, hidden.name), field(_ROUTE_MATCH, hidden.match)
    return match + field(_ROUTE_DIRECT, encode(answer)) + name


def to_application(service: str, guard: Mapping[str, AnyMessage] = MappingProxyType({})) -> bytes:
    """Return the encoded Route of a sidecar's ingress; the caller's timeouts and retries hold, not ours again.

    `guard` is the configuration of HTTP filters on the way there, by filter.
    """
    action = RouteAction(cluster=naming.application(service), timeout=datetime.timedelta())
    guarded = encode(RouteMessage(typed_per_filter_config=dict(guard))) if guard else b""
    return (
        guarded + text(_ROUTE_NAME, service) + field(_ROUTE_MATCH, everything()) + field(_ROUTE_ACTION, encode(action))
    )


def virtual_host(name: str, domain: str, rules: Iterable[bytes]) -> bytes:
    """Return an encoded VirtualHost of encoded routes in the order given, as the field of a RouteConfiguration."""
    body = text(_HOST_NAME, name) + text(_HOST_DOMAINS, domain) + join_repeated(_HOST_ROUTES, rules)
    return field(_CONFIGURATION_HOSTS, body)


def route_configuration(name: str, virtual_hosts: Iterable[bytes]) -> bytes:
    """Return an encoded RouteConfiguration of results of `virtual_host`.

    Clients write the port into Host; a service is the same on all of them.
    """
    return _configuration(name) + b"".join(virtual_hosts)


@functools.lru_cache(maxsize=4096)
def _configuration(name: str) -> bytes:
    return encode(RouteConfiguration(name=name, ignore_port_in_host_matching=True))


def _previewed(treated: Treated, name: str, route: Route | None, shown: Shown | None) -> Iterator[bytes]:
    """Yield the encoded Routes of a preview, which gets no copies of what goes there anyway."""
    if shown is not None:
        alone = replace(treated, mirror=None)
        for alternative in shown.preview.alternatives:
            yield from _bodies(alone, name, route, shown.target, alternative)


def _bodies(
    treated: Treated, name: str, route: Route | None, target: Target, more: Conditions = ((), ())
) -> Iterator[bytes]:
    """Yield the encoded Routes of a route, or (None) of what a service answers by itself, under more conditions."""
    where = _where(treated.service, target)
    path, queries = (PathMatch(), ()) if route is None else (route.path, route.queries)
    headers, cookies = more if route is None else (route.headers + more[0], route.cookies + more[1])
    for methods, policy in treated.encoded(target.split, target.port, route):
        yield _body(name, encoded_match(path, methods, headers, cookies, queries), policy, where)


def _needs(service: Service, target: Target, shown: Shown | None) -> frozenset[str]:
    targets = (target,) if shown is None else (target, shown.target)
    return frozenset().union(*(clusters_of(service.key.name, each.split, each.port) for each in targets))


def _body(name: str, match: bytes, policy: bytes, where: tuple[bytes, bytes]) -> bytes:
    """Return an encoded Route; `match` and `policy` are encoded too."""
    weighted, facts = where
    return b"".join(
        (
            field(_ROUTE_MATCH, match),
            field(_ROUTE_ACTION, policy + weighted),
            field(_ROUTE_METADATA, facts),
            text(_ROUTE_NAME, told_by(name, facts)),
        )
    )


def _where(service: Service, target: Target) -> tuple[bytes, bytes]:
    """Return where a route leads, as Envoy's choice among clusters and as the filter's facts of it."""
    split, port = target.split, target.port
    return field(_ACTION_WEIGHTED, _weighted(service, split, port)), _facts(service, split, port, target.breaker)


def _weighted(service: Service, split: Split, port: str) -> bytes:
    """Return the segments in their order; a cluster may stand there more than once, and the total never changes."""
    clusters = (
        text(_WEIGHT_NAME, naming.cluster(service.key.name, segment.subset, port))
        + field(_WEIGHT, b"\x08" + varint(segment.weight))
        for segment in split.segments
    )
    return join_repeated(_WEIGHTED_CLUSTERS, clusters) + text(_WEIGHTED_HEADER, BUCKET_HEADER)


def _facts(service: Service, split: Split, port: str, breaker: RouteBreaker | None) -> bytes:
    """Return the route's metadata: what the filter reads of it."""
    segments = [(naming.cluster(service.key.name, s.subset, port), s.weight) for s in split.segments]
    facts = RouteFacts.model_construct(  # validated when split and breaker were declared
        service=service.key.name,
        env=service.key.env,
        split=tuple(segments),
        key=_filter_key(split.key),
        salt=split.salt,
        breaker=breaker,
    )
    return metadata(facts.to_struct())


@functools.lru_cache(maxsize=1024)
def _filter_key(key: SplitKey) -> FilterKey:
    match key.source:
        case KeySource.HEADER:
            return FilterKey(header=key.name)
        case KeySource.COOKIE:
            return FilterKey(cookie=key.name)
        case KeySource.SOURCE:
            return FilterKey(source=True)
