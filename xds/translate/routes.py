"""Splits and routes as route configurations: the only maker of Route, VirtualHost and RouteConfiguration.

A rule is encoded once per change of its route or its weights; a virtual host is a join of rules, a route
configuration a join of virtual hosts. What the filter needs (segments, key, salt) rides in each route's metadata, so
that weights and facts are one version and one ACK.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.config.route.v3 import (
    DirectResponseAction,
    RetryPolicy,
    RetryPolicyRetryHostPredicate,
    RouteAction,
    RouteActionHashPolicy,
    RouteActionHashPolicyConnectionProperties,
    RouteActionHashPolicyCookie,
    RouteActionHashPolicyHeader,
    RouteConfiguration,
)
from envoy_data_plane.envoy.config.route.v3 import Route as RouteMessage
from envoy_data_plane.envoy.extensions.retry.host.previous_hosts.v3 import PreviousHostsPredicate
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatchAndSubstitute, RegexMatcher
from envoy_data_plane.google.protobuf import Any as AnyMessage

from xds.model.balancing import BY_HASH
from xds.model.names import ServiceKey
from xds.model.route import MAX_ATTEMPTS, PathKind, PathMatch, Retry, Route
from xds.model.service import Service
from xds.model.split import KeySource, Split, SplitKey
from xds.wire.codec import encode
from xds.wire.filter_schema import BUCKET_HEADER, FilterKey, RouteBreaker, RouteFacts
from xds.wire.fragments import field, join_repeated, text, varint
from xds.wire.packing import pack_any

from . import naming
from .clusters import duration
from .matches import CATCH_ALL, Order, Signature, encoded_match, everything, order, signature
from .metadata import metadata, told_by
from .regex import check_regex, literal
from .splits import clusters_of
from .validate import check, route_action

# Field numbers of envoy.config.route.v3, for what is written at every step: message classes validate themselves, which
# costs more than all the rest. The goldens, read back by those classes, hold them to it.
_ROUTE_MATCH, _ROUTE_ACTION, _ROUTE_METADATA, _ROUTE_DIRECT, _ROUTE_NAME = 1, 2, 4, 7, 14
_ACTION_WEIGHTED = 3
_WEIGHTED_CLUSTERS, _WEIGHTED_HEADER = 1, 4
_WEIGHT_NAME, _WEIGHT = 1, 2
_HOST_NAME, _HOST_DOMAINS, _HOST_ROUTES = 1, 2, 3
_CONFIGURATION_HOSTS = 2
_HOST_SELECTION_ATTEMPTS = 5
_ANY_PATH = PathMatch()
_PREVIOUS_HOSTS = "envoy.retry_host_predicates.previous_hosts"

RETRY_CONDITIONS = frozenset(
    {
        "5xx", "gateway-error", "reset", "reset-before-request", "connect-failure", "envoy-ratelimited",
        "retriable-4xx", "refused-stream", "retriable-status-codes", "retriable-headers",
        "http3-post-connect-failure", "cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable",
    }
)  # fmt: skip
"""Conditions of x-envoy-retry-on and x-envoy-retry-grpc-on; at any other Envoy logs a warning at every update."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One encoded Route. `name` is the route's key name, or the service's for what it answers by itself.

    `weights` are those of the service's own split after fall-back, None for a rule with a split of its own;
    `named_port` tells that they hold for a port where other subsets may serve than on the service's own.
    `signature` is None for the catch-all, which every other rule may shadow. `match` is the part of `body` that tells
    which requests it is for. `needs` are the clusters it leads to.
    """

    order: Order
    signature: Signature | None
    service: ServiceKey
    name: str
    match: bytes
    body: bytes
    weights: Mapping[str, int] | None
    named_port: bool
    needs: frozenset[str]


def rule(  # noqa: PLR0913 - a route, its service, and what is known of both
    service: Service, route: Route, split: Split, port: str, breaker: RouteBreaker | None = None, *, inherits: bool
) -> Rule:
    """Return the rule of a declared route with the effective `split`; InvalidInput for what Envoy would refuse."""
    timeout = service.timeout if route.timeout is None else route.timeout
    retry = _enough(route.retry or service.retry, split)
    policy = _policy(timeout, route.idle_timeout, retry, _hashed(service), route.path, route.rewrite)
    match = encoded_match(route.path, route.methods, route.headers, route.cookies, route.queries)
    body = _body(route.key.name, match, policy, _target(service, split, port, breaker))
    weights = split.weights if inherits else None
    needs = clusters_of(service.key.name, split, port)
    return Rule(order(route), signature(route), service.key, route.key.name, match, body, weights, bool(port), needs)


def catch_all(service: Service, split: Split, port: str = "", breaker: RouteBreaker | None = None) -> Rule:
    """Return the rule by which a service answers under its own name whatever its routes do not match."""
    name = naming.host(service.key.name, port)
    policy = _policy(service.timeout, None, _enough(service.retry, split), _hashed(service))
    match = everything()
    body = _body(name, match, policy, _target(service, split, port, breaker))
    needs = clusters_of(service.key.name, split, port)
    return Rule(CATCH_ALL, None, service.key, name, match, body, split.weights, bool(port), needs)


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


def _body(name: str, match: bytes, policy: bytes, target: tuple[bytes, bytes]) -> bytes:
    """Return an encoded Route; `match` and `policy` are encoded too."""
    weighted, facts = target
    return b"".join(
        (
            field(_ROUTE_MATCH, match),
            field(_ROUTE_ACTION, policy + weighted),
            field(_ROUTE_METADATA, facts),
            text(_ROUTE_NAME, told_by(name, facts)),
        )
    )


def _target(service: Service, split: Split, port: str, breaker: RouteBreaker | None) -> tuple[bytes, bytes]:
    """Return where a route leads, as Envoy's choice among clusters and as the filter's facts of it."""
    return field(_ACTION_WEIGHTED, _weighted(service, split, port)), _facts(service, split, port, breaker)


def _weighted(service: Service, split: Split, port: str) -> bytes:
    """Return the segments in their order; a cluster may stand there more than once, and the total never changes."""
    clusters = (
        text(_WEIGHT_NAME, naming.cluster(service.key.name, segment.subset, port))
        + field(_WEIGHT, b"\x08" + varint(segment.weight))
        for segment in split.segments
    )
    return join_repeated(_WEIGHTED_CLUSTERS, clusters) + text(_WEIGHTED_HEADER, BUCKET_HEADER)


@functools.lru_cache(maxsize=4096)
def _policy(  # noqa: PLR0913 - the parts of one message, most of them left out
    timeout: float,
    idle_timeout: float | None,
    retry: Retry,
    hashed: SplitKey | None = None,
    path: PathMatch = _ANY_PATH,
    rewrite: str | None = None,
) -> bytes:
    """Return the encoded RouteAction but for its clusters."""
    action = RouteAction(timeout=duration(timeout), retry_policy=_retry(retry), hash_policy=_hash_policy(hashed))
    if idle_timeout is not None:
        action.idle_timeout = duration(idle_timeout)
    if rewrite is not None:
        _rewrite(action, path, rewrite)
    check(route_action(action))
    return encode(action)


def _hashed(service: Service) -> SplitKey | None:
    return service.hash_key if service.balancing in BY_HASH else None


def _hash_policy(key: SplitKey | None) -> list[RouteActionHashPolicy]:
    """Return what balancing by hash looks at: the key, and for a request without it the client's address."""
    if key is None:
        return []
    address = RouteActionHashPolicy(connection_properties=RouteActionHashPolicyConnectionProperties(source_ip=True))
    match key.source:
        case KeySource.HEADER:
            header = RouteActionHashPolicyHeader(header_name=key.name)
            return [RouteActionHashPolicy(header=header, terminal=True), address]
        case KeySource.COOKIE:
            cookie = RouteActionHashPolicyCookie(name=key.name)
            return [RouteActionHashPolicy(cookie=cookie, terminal=True), address]
        case KeySource.SOURCE:
            return [address]


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


def _enough(retry: Retry, split: Split) -> Retry:
    """Return `retry` with attempts enough to leave a failing subset.

    A retry leaves the entry of the split that failed, not its cluster: Envoy 1.40 was measured to walk, by the same
    bucket, over the entries not yet tried. A subset of three segments takes three retries to leave.
    """
    names = [segment.subset for segment in split.segments]
    most = max(map(names.count, names), default=0)
    if not retry.attempts or retry.attempts >= most:
        return retry
    return replace(retry, attempts=min(most, MAX_ATTEMPTS))


@functools.lru_cache(maxsize=1024)
def _retry(retry: Retry) -> RetryPolicy | None:
    """Return the policy, None for no attempts.

    A retry avoids the hosts that failed and takes another entry of the split, so that requests of a failing canary
    leave it.
    """
    conditions = [condition for condition in retry.on if condition in RETRY_CONDITIONS]
    if not retry.attempts or not conditions:
        return None
    predicate = RetryPolicyRetryHostPredicate(name=_PREVIOUS_HOSTS, typed_config=pack_any(PreviousHostsPredicate()))
    policy = RetryPolicy(
        retry_on=",".join(conditions),
        num_retries=retry.attempts,
        retry_host_predicate=[predicate],
        host_selection_retry_max_attempts=_HOST_SELECTION_ATTEMPTS,
        refresh_cluster_on_retry=True,
    )
    if retry.per_try:
        policy.per_try_timeout = duration(retry.per_try)
    return policy


def _rewrite(action: RouteAction, path: PathMatch, rewrite: str) -> None:
    """Replace the matched path so that exactly one slash stands between what is new and what is kept.

    Envoy's prefix_rewrite replaces characters: `/api` -> `/` would make `//users` of `/api/users`.
    """
    prefix = path.value
    if path.kind is PathKind.PREFIX and prefix.endswith("/") and not rewrite.endswith("/"):
        rewrite += "/"
    if path.kind is PathKind.PREFIX and rewrite.endswith("/") and not prefix.endswith("/"):
        pattern = check_regex(f"^{literal(prefix)}/*", pointer="/rewrite")
        action.regex_rewrite = RegexMatchAndSubstitute(
            pattern=RegexMatcher(regex=pattern), substitution=rewrite.replace("\\", "\\\\")
        )
    else:
        action.prefix_rewrite = rewrite
