"""What Envoy would refuse of a virtual host: one bad one refuses the routes of everybody in its route configuration.

Pure, over message classes. It knows the fields that Fairlead writes or may come to write; a field that it does not know
is a fault as well, so that what passes is accepted. Sources: the validation rules in route_components.proto, and what
Envoy's route configuration checks beyond them; tests/envoy holds every fault, and what passes, to a real Envoy.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import betterproto2
from envoy_data_plane.envoy.config.core.v3 import HeaderValueOption
from envoy_data_plane.envoy.config.route.v3 import (
    CookieMatcher,
    HeaderMatcher,
    QueryParameterMatcher,
    RetryPolicy,
    RetryPolicyRetryHostPredicate,
    Route,
    RouteAction,
    RouteActionHashPolicy,
    RouteMatch,
    VirtualHost,
    WeightedCluster,
    WeightedClusterClusterWeight,
)
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatchAndSubstitute, RegexMatcher, StringMatcher

from xds.model.problems import InvalidInput

from .regex import check_regex

REFUSED = frozenset({"regex", "refused_by_envoy"})
"""The codes of errors that say what Envoy would refuse."""
LONGEST = datetime.timedelta(days=3650)
"""Envoy counts in milliseconds and refuses what overflows; ten years are far below, and beyond any use."""
MAX_HEADERS = 1000
_MOST = 0xFFFF_FFFF
_UNSENDABLE = re.compile(r"[\x00\n\r]")  # the well-known patterns of header names and values, not strict
_PREDICATES = frozenset({"envoy.retry_host_predicates.previous_hosts"})


class Fault(NamedTuple):
    """Something that Envoy would refuse: the pointer to the field in the message, and why."""

    pointer: str
    message: str


Faults = Iterator[Fault]

_DECLARED = {
    "headers": "/headers", "cookies": "/cookies", "query_parameters": "/queries", "timeout": "/timeout",
    "idle_timeout": "/idle_timeout", "retry_policy": "/retry",
    "prefix_rewrite": "/rewrite", "regex_rewrite": "/rewrite",
}  # fmt: skip
"""The field of a declared route from which a field of the message comes; the others come from its path."""


def check(faults: Faults) -> None:
    """Raise InvalidInput for the first fault of a match or an action, with a pointer into the declared route."""
    for fault in faults:
        pointer = _DECLARED.get(fault.pointer.split("/")[1] if fault.pointer else "", "/path")
        words = f"{fault.pointer} {fault.message}".strip()
        raise InvalidInput(f"Envoy would refuse it: {words}", pointer=pointer, code="refused_by_envoy")


def virtual_host(host: VirtualHost) -> Faults:
    """Yield what is wrong with a virtual host by itself; its domains must be its own besides (`domains`)."""
    known = ("name", "domains", "routes", "request_headers_to_add", "request_headers_to_remove")
    yield from _beyond(host, "", *known, "response_headers_to_add", "response_headers_to_remove")
    if not host.name:
        yield Fault("/name", "is empty")
    if not host.domains:
        yield Fault("/domains", "are none")
    yield from domains(host.domains)
    yield from _headers(host, "")
    for at, each in enumerate(host.routes):
        yield from route(each, f"/routes/{at}")


def domains(names: Iterable[str]) -> Faults:
    """Yield what is wrong with the domains of a virtual host, or of several in their order, taken together."""
    seen: set[str] = set()
    for at, name in enumerate(names):
        yield from _sendable(name, f"/domains/{at}")
        if name.lower() in seen:
            yield Fault(f"/domains/{at}", f"{name!r} is there twice")
        seen.add(name.lower())


def route(message: Route, at: str = "") -> Faults:
    """Yield what is wrong with a route."""
    known = ("name", "match", "route", "metadata", "request_headers_to_add", "request_headers_to_remove")
    yield from _beyond(message, at, *known, "response_headers_to_add", "response_headers_to_remove")
    yield from _headers(message, at)
    if message.match is None:
        yield Fault(f"{at}/match", "is missing")
    else:
        yield from route_match(message.match, f"{at}/match")
    if message.route is None:
        yield Fault(f"{at}/route", "is missing")
    else:
        yield from route_action(message.route, f"{at}/route")
        yield from cluster_of(message.route, f"{at}/route")


def route_match(match: RouteMatch, at: str = "") -> Faults:
    """Yield what is wrong with what a route matches."""
    yield from _beyond(match, at, "prefix", "path", "safe_regex", "headers", "cookies", "query_parameters")
    if (match.prefix, match.path, match.safe_regex) == (None, None, None):
        yield Fault(at, "says no path")
    if match.safe_regex is not None:
        yield from _regex(match.safe_regex, f"{at}/safe_regex")
    for number, header in enumerate(match.headers):
        yield from _matcher(header, f"{at}/headers/{number}")
        if header.string_match is None and header.present_match is None:
            yield Fault(f"{at}/headers/{number}", "compares with nothing")
    for number, cookie in enumerate(match.cookies):
        yield from _matcher(cookie, f"{at}/cookies/{number}")
        if cookie.string_match is None:
            yield Fault(f"{at}/cookies/{number}", "compares with nothing")
    for number, query in enumerate(match.query_parameters):
        yield from _matcher(query, f"{at}/query_parameters/{number}")
        if query.string_match is None and not query.present_match:
            yield Fault(f"{at}/query_parameters/{number}", "compares with nothing")


def route_action(action: RouteAction, at: str = "") -> Faults:
    """Yield what is wrong with how a route treats its requests; where they go is `cluster_of`'s."""
    known = ("cluster", "weighted_clusters", "timeout", "idle_timeout", "prefix_rewrite", "regex_rewrite")
    yield from _beyond(action, at, *known, "retry_policy", "hash_policy", "request_mirror_policies")
    yield from _duration(action.timeout, f"{at}/timeout")
    yield from _duration(action.idle_timeout, f"{at}/idle_timeout")
    yield from _sendable(action.prefix_rewrite, f"{at}/prefix_rewrite")
    if action.regex_rewrite is not None:
        if action.prefix_rewrite:
            yield Fault(f"{at}/regex_rewrite", "stands beside a prefix_rewrite")
        yield from _substitution(action.regex_rewrite, f"{at}/regex_rewrite")
    if action.retry_policy is not None:
        yield from _retry(action.retry_policy, f"{at}/retry_policy")
    for number, copies in enumerate(action.request_mirror_policies):
        yield from _beyond(copies, f"{at}/request_mirror_policies/{number}", "cluster", "runtime_fraction")
        if not copies.cluster:
            yield Fault(f"{at}/request_mirror_policies/{number}/cluster", "is empty")
    for number, policy in enumerate(action.hash_policy):
        yield from _hash_policy(policy, f"{at}/hash_policy/{number}")


def _hash_policy(policy: RouteActionHashPolicy, at: str) -> Faults:
    yield from _beyond(policy, at, "header", "cookie", "connection_properties", "terminal")
    if policy.connection_properties is not None:
        return
    name = policy.header.header_name if policy.header else policy.cookie.name if policy.cookie else ""
    if not name:
        yield Fault(at, "names nothing")
    yield from _sendable(name, at)


def cluster_of(action: RouteAction, at: str = "") -> Faults:
    """Yield what is wrong with where a route leads."""
    if action.weighted_clusters is not None:
        yield from _weighted(action.weighted_clusters, f"{at}/weighted_clusters")
    elif not action.cluster:
        yield Fault(f"{at}/cluster", "is missing")


def _weighted(split: WeightedCluster, at: str) -> Faults:
    yield from _beyond(split, at, "clusters", "header_name")
    yield from _sendable(split.header_name, f"{at}/header_name")
    for number, each in enumerate(split.clusters):
        yield from _weight(each, f"{at}/clusters/{number}")
    total = sum(each.weight or 0 for each in split.clusters)
    if not 0 < total <= _MOST:
        yield Fault(f"{at}/clusters", f"weigh {total} together, from 1 to {_MOST} is possible")


def _weight(each: WeightedClusterClusterWeight, at: str) -> Faults:
    yield from _beyond(each, at, "name", "weight")
    if not each.name:
        yield Fault(f"{at}/name", "is empty")


def _matcher(matcher: HeaderMatcher | CookieMatcher | QueryParameterMatcher, at: str) -> Faults:
    present = () if isinstance(matcher, CookieMatcher) else ("present_match",)
    inverted = () if isinstance(matcher, QueryParameterMatcher) else ("invert_match",)
    yield from _beyond(matcher, at, "name", "string_match", *inverted, *present)
    if not matcher.name:
        yield Fault(f"{at}/name", "is empty")
    yield from _sendable(matcher.name, f"{at}/name")
    if matcher.string_match is not None:
        yield from _string(matcher.string_match, f"{at}/string_match")


def _string(matcher: StringMatcher, at: str) -> Faults:
    yield from _beyond(matcher, at, "exact", "prefix", "safe_regex")
    if (matcher.exact, matcher.prefix, matcher.safe_regex) == (None, None, None):
        yield Fault(at, "compares with nothing")
    if matcher.prefix == "":
        yield Fault(f"{at}/prefix", "is empty")
    if matcher.safe_regex is not None:
        yield from _regex(matcher.safe_regex, f"{at}/safe_regex")


def _regex(matcher: RegexMatcher, at: str) -> Faults:
    yield from _beyond(matcher, at, "regex")
    try:
        check_regex(matcher.regex, pointer="")
    except InvalidInput as error:
        yield Fault(f"{at}/regex", error.message)


def _substitution(rewrite: RegexMatchAndSubstitute, at: str) -> Faults:
    """Yield what is wrong with a rewrite; a reference to a group that is not there Envoy takes, and leaves the path."""
    if rewrite.pattern is None:
        yield Fault(f"{at}/pattern", "is missing")
    else:
        yield from _regex(rewrite.pattern, f"{at}/pattern")
    yield from _sendable(rewrite.substitution, f"{at}/substitution")


def _retry(policy: RetryPolicy, at: str) -> Faults:
    known = ("retry_on", "num_retries", "per_try_timeout", "retry_host_predicate", "refresh_cluster_on_retry")
    yield from _beyond(policy, at, *known, "host_selection_retry_max_attempts")
    yield from _duration(policy.per_try_timeout, f"{at}/per_try_timeout")
    if not 0 <= policy.host_selection_retry_max_attempts <= _MOST:
        yield Fault(f"{at}/host_selection_retry_max_attempts", "is out of range")
    for number, each in enumerate(policy.retry_host_predicate):
        yield from _predicate(each, f"{at}/retry_host_predicate/{number}")


def _predicate(predicate: RetryPolicyRetryHostPredicate, at: str) -> Faults:
    if predicate.name not in _PREDICATES:
        yield Fault(f"{at}/name", f"{predicate.name!r} is no extension that every Envoy has")
    if predicate.typed_config is None:
        yield Fault(f"{at}/typed_config", "is missing")


def _headers(message: VirtualHost | Route, at: str) -> Faults:
    for field in ("request_headers_to_add", "response_headers_to_add"):
        options: list[HeaderValueOption] = getattr(message, field)
        if len(options) > MAX_HEADERS:
            yield Fault(f"{at}/{field}", f"are {len(options)}, at most {MAX_HEADERS} are possible")
        for number, option in enumerate(options):
            yield from _header(option, f"{at}/{field}/{number}")
    for field in ("request_headers_to_remove", "response_headers_to_remove"):
        for number, name in enumerate(getattr(message, field)):
            yield from _header_name(name, f"{at}/{field}/{number}")


def _header(option: HeaderValueOption, at: str) -> Faults:
    yield from _beyond(option, at, "header", "append_action", "keep_empty_value")
    if option.header is None:
        yield Fault(f"{at}/header", "is missing")
        return
    yield from _beyond(option.header, f"{at}/header", "key", "value")
    yield from _header_name(option.header.key, f"{at}/header/key")
    yield from _sendable(option.header.value, f"{at}/header/value")
    if "%" in option.header.value.replace("%%", ""):
        yield Fault(f"{at}/header/value", "has a % that is not doubled: Envoy reads a command there")


def _header_name(name: str, at: str) -> Faults:
    if not name:
        yield Fault(at, "is empty")
    elif name.startswith(":") or name.lower() == "host":
        yield Fault(at, f"{name!r} is not a header that may be changed")
    yield from _sendable(name, at)


def _sendable(text: str | None, at: str) -> Faults:
    if text and _UNSENDABLE.search(text):
        yield Fault(at, "has a line break or a NUL")


def _duration(time: datetime.timedelta | None, at: str) -> Faults:
    if time is not None and not datetime.timedelta() <= time <= LONGEST:
        yield Fault(at, f"{time.total_seconds():g} s is not a time between 0 and {LONGEST.days} days")


def _beyond(message: betterproto2.Message, at: str, *known: str) -> Faults:
    """Yield the fields that are set and that nothing here knows."""
    for entry in dataclasses.fields(message):  # type: ignore[arg-type]  # every message is a dataclass; its base is not
        if entry.name not in known and getattr(message, entry.name) not in (None, "", 0, [], {}):
            yield Fault(f"{at}/{entry.name}", "is a field that is not checked here")
