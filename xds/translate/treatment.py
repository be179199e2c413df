"""How requests are treated on their way: the part of a RouteAction that says nothing of where they go.

Timeouts, retries, rewriting, copies, and what balancing by hash looks at. It changes seldom and is encoded once for all
routes that have it in common; the weights beside it change at every step.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

from envoy_data_plane.envoy.config.core.v3 import RuntimeFractionalPercent
from envoy_data_plane.envoy.config.route.v3 import (
    RetryPolicy,
    RetryPolicyRetryHostPredicate,
    RouteAction,
    RouteActionHashPolicy,
    RouteActionHashPolicyConnectionProperties,
    RouteActionHashPolicyCookie,
    RouteActionHashPolicyHeader,
    RouteActionRequestMirrorPolicy,
)
from envoy_data_plane.envoy.extensions.retry.host.previous_hosts.v3 import PreviousHostsPredicate
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatchAndSubstitute, RegexMatcher
from envoy_data_plane.envoy.type.v3 import FractionalPercent, FractionalPercentDenominatorType

from xds.model.balancing import BY_HASH
from xds.model.policy import Mirror
from xds.model.route import MAX_ATTEMPTS, PathKind, PathMatch, Retry, Route
from xds.model.service import Service
from xds.model.split import KeySource, Split, SplitKey
from xds.wire.codec import encode
from xds.wire.packing import pack_any

from . import naming
from .clusters import duration
from .regex import check_regex, literal
from .validate import check, route_action

Copies = tuple[str, int]
"""The cluster that gets copies, and of how many 10,000ths of the requests."""
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
class Treated:
    """A service, and what holds for its requests unless a route says otherwise; `mirror` None copies nothing."""

    service: Service
    timeout: float
    retry: Retry
    mirror: Mirror | None = None

    def encoded(self, split: Split, port: str, route: Route | None = None) -> list[tuple[tuple[str, ...], bytes]]:
        """Return the encoded RouteAction but for its clusters, of a route or of what the service answers by itself.

        One for each group of methods (() is any) that is treated alike, in the order in which they are to be matched.
        InvalidInput for what Envoy would refuse.
        """
        copies, hashed = self._copies(port), self.service.hash_key if self.service.balancing in BY_HASH else None
        if route is None:
            ways = _enough(self.retry, split).by_methods(())
            return [(methods, _action(self.timeout, None, retry, hashed, copies)) for methods, retry in ways]
        timeout = self.timeout if route.timeout is None else route.timeout
        ways = _enough(route.retry or self.retry, split).by_methods(route.methods)
        rest = (hashed, copies, route.path, route.rewrite)
        return [(methods, _action(timeout, route.idle_timeout, retry, *rest)) for methods, retry in ways]

    def _copies(self, port: str) -> Copies | None:
        """Return the cluster that gets copies of what comes in on `port`, and of how many 10,000ths."""
        if self.mirror is None:
            return None
        name = self.mirror.service or self.service.key.name
        return naming.cluster(name, self.mirror.subset, "" if self.mirror.service else port), self.mirror.share


@functools.lru_cache(maxsize=4096)
def _action(  # noqa: PLR0913, PLR0917 - the parts of one message, most of them left out
    timeout: float,
    idle_timeout: float | None,
    retry: Retry,
    hashed: SplitKey | None = None,
    copies: Copies | None = None,
    path: PathMatch = _ANY_PATH,
    rewrite: str | None = None,
) -> bytes:
    """Return the encoded RouteAction but for its clusters."""
    action = RouteAction(timeout=duration(timeout), retry_policy=_retry(retry), hash_policy=_hash_policy(hashed))
    if copies is not None:
        cluster, share = copies
        part = FractionalPercent(numerator=share, denominator=FractionalPercentDenominatorType.TEN_THOUSAND)
        fraction = RuntimeFractionalPercent(default_value=part)
        action.request_mirror_policies = [RouteActionRequestMirrorPolicy(cluster=cluster, runtime_fraction=fraction)]
    if idle_timeout is not None:
        action.idle_timeout = duration(idle_timeout)
    if rewrite is not None:
        _rewrite(action, path, rewrite)
    check(route_action(action))
    return encode(action)


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
