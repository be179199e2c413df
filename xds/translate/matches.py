"""What a route matches, in Envoy's words: path, method, headers, cookies and query, and which of two routes goes first.

Every check that Envoy would make and that the model cannot (RE2) is made here, with a pointer to the field, because
one bad match would refuse the routes of everybody in its resource.
"""

from __future__ import annotations

import functools

from envoy_data_plane.envoy.config.route.v3 import CookieMatcher, HeaderMatcher, QueryParameterMatcher, RouteMatch
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher, StringMatcher

from xds.model.route import MatchKind, PathKind, PathMatch, Route, ValueMatch
from xds.wire.codec import encode

from .regex import check_regex
from .validate import check, route_match

Order = tuple[int, int, int, int, str]
Signature = tuple[object, ...]

_RANK = {PathKind.EXACT: 0, PathKind.REGEX: 1, PathKind.PREFIX: 2}
CATCH_ALL: Order = (2_000_000, 0, 0, 0, "")
"""The order of what a service answers when none of its routes match: after every priority that a route can have."""


def order(route: Route) -> Order:
    """Return the sort key among the routes of one host: the first that matches wins.

    Higher priority, then exact before regex before prefix, longer prefix, more other conditions, name.
    """
    prefix = len(route.path.value) if route.path.kind is PathKind.PREFIX else 0
    conditions = len(route.headers) + len(route.cookies) + len(route.queries) + bool(route.methods)
    return (-route.priority, _RANK[route.path.kind], -prefix, -conditions, route.key.name)


def signature(route: Route) -> Signature:
    """Return what two routes share when they match exactly the same requests."""
    return (
        route.path,
        frozenset(route.methods),
        frozenset((_header_name(match.name), match.kind, match.value) for match in route.headers),
        frozenset(route.cookies),
        frozenset(route.queries),
    )


@functools.lru_cache(maxsize=4096)
def encoded_match(
    path: PathMatch,
    methods: tuple[str, ...] = (),
    headers: tuple[ValueMatch, ...] = (),
    cookies: tuple[ValueMatch, ...] = (),
    queries: tuple[ValueMatch, ...] = (),
) -> bytes:
    """Return an encoded RouteMatch; InvalidInput with a pointer to what Envoy would refuse."""
    message = _path(path)
    message.headers = [*_methods(methods), *(_header(match, f"/headers/{at}") for at, match in enumerate(headers))]
    message.cookies = [_cookie(match, f"/cookies/{at}") for at, match in enumerate(cookies)]
    message.query_parameters = [_query(match, f"/queries/{at}") for at, match in enumerate(queries)]
    check(route_match(message))
    return encode(message)


def everything(methods: tuple[str, ...] = ()) -> bytes:
    """Return the encoded match of every request of these methods; () is any."""
    return encoded_match(PathMatch(), methods)


def _path(path: PathMatch) -> RouteMatch:
    match path.kind:
        case PathKind.EXACT:
            return RouteMatch(path=path.value)
        case PathKind.PREFIX:
            return RouteMatch(prefix=path.value)
        case PathKind.REGEX:
            return RouteMatch(safe_regex=RegexMatcher(regex=check_regex(path.value, pointer="/path")))


def _methods(methods: tuple[str, ...]) -> list[HeaderMatcher]:
    if not methods:
        return []
    names = "|".join(sorted(set(methods)))  # capital letters only: nothing to escape
    matcher = (
        StringMatcher(exact=names)
        if len(set(methods)) == 1
        else StringMatcher(safe_regex=RegexMatcher(regex=check_regex(names, pointer="/methods")))
    )
    return [HeaderMatcher(name=":method", string_match=matcher)]


def _header_name(name: str) -> str:
    """Return the name that Envoy knows a header by; Host is `:authority` there, under any version of HTTP."""
    lower = name.lower()
    return ":authority" if lower == "host" else lower


def _header(match: ValueMatch, pointer: str) -> HeaderMatcher:
    name = _header_name(match.name)
    if match.kind in {MatchKind.PRESENT, MatchKind.ABSENT}:
        return HeaderMatcher(name=name, present_match=True, invert_match=match.kind is MatchKind.ABSENT)
    return HeaderMatcher(name=name, string_match=_value(match, pointer))


def _cookie(match: ValueMatch, pointer: str) -> CookieMatcher:
    """Return the matcher of one cookie. Presence is any value; absence is the inversion of that.

    Source: envoy.config.route.v3.CookieMatcher, "If the cookie is not present, the match result is false".
    """
    if match.kind in {MatchKind.PRESENT, MatchKind.ABSENT}:
        anything = StringMatcher(safe_regex=RegexMatcher(regex=_ANYTHING))
        return CookieMatcher(name=match.name, string_match=anything, invert_match=match.kind is MatchKind.ABSENT)
    return CookieMatcher(name=match.name, string_match=_value(match, pointer))


def _query(match: ValueMatch, pointer: str) -> QueryParameterMatcher:
    if match.kind is MatchKind.PRESENT:
        return QueryParameterMatcher(name=match.name, present_match=True)
    return QueryParameterMatcher(name=match.name, string_match=_value(match, pointer))


_ANYTHING = "(?s).*"


def _value(match: ValueMatch, pointer: str) -> StringMatcher:
    match match.kind:
        case MatchKind.PREFIX:
            return StringMatcher(prefix=match.value)
        case MatchKind.REGEX:
            return StringMatcher(safe_regex=RegexMatcher(regex=check_regex(match.value, pointer=pointer)))
        case _:
            return StringMatcher(exact=match.value)
