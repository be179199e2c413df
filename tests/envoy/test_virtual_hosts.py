"""What passes our validation of virtual hosts a real Envoy takes, and what it does not pass, a real Envoy refuses."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any  # fields of messages, by name

import pytest
from envoy_data_plane.envoy.config.core.v3 import HeaderValue, HeaderValueOption
from envoy_data_plane.envoy.config.route.v3 import (
    CookieMatcher,
    HeaderMatcher,
    QueryParameterMatcher,
    RetryPolicy,
    RetryPolicyRetryHostPredicate,
    Route,
    RouteAction,
    RouteActionHashPolicy,
    RouteActionHashPolicyConnectionProperties,
    RouteActionHashPolicyCookie,
    RouteActionHashPolicyHeader,
    RouteMatch,
    VirtualHost,
    WeightedCluster,
    WeightedClusterClusterWeight,
)
from envoy_data_plane.envoy.extensions.retry.host.previous_hosts.v3 import PreviousHostsPredicate
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatchAndSubstitute, RegexMatcher, StringMatcher
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.envoy.judge import Judge
from tests.harness.processes import Programs
from xds.translate.validate import virtual_host
from xds.wire.packing import pack_any

pytestmark = pytest.mark.envoy

ROOT = RouteMatch(prefix="/")
WEB = RouteAction(cluster="web")
SECOND = datetime.timedelta(seconds=1)


def host(*routes: Route, **more: object) -> VirtualHost:
    everything = [Route(match=ROOT, route=WEB)]
    fields: dict[str, object] = {"name": "web", "domains": ["web"], "routes": list(routes) or everything}
    return VirtualHost(**{**fields, **more})  # type: ignore[arg-type]  # the keywords are VirtualHost's own


def matching(**match: object) -> VirtualHost:
    return host(Route(match=RouteMatch(**{"prefix": "/", **match}), route=WEB))  # type: ignore[arg-type]  # as above


def acting(**action: object) -> VirtualHost:
    return host(Route(match=ROOT, route=RouteAction(**{"cluster": "web", **action})))  # type: ignore[arg-type]  # as above


def header(key: str, value: str = "x") -> HeaderValueOption:
    return HeaderValueOption(header=HeaderValue(key=key, value=value))


def regex(text: str) -> StringMatcher:
    return StringMatcher(safe_regex=RegexMatcher(regex=text))


def rewrite(pattern: str, substitution: str) -> RegexMatchAndSubstitute:
    return RegexMatchAndSubstitute(pattern=RegexMatcher(regex=pattern), substitution=substitution)


def split(*weights: int, **more: object) -> VirtualHost:
    clusters = [WeightedClusterClusterWeight(name="web", weight=weight) for weight in weights]
    weighted = WeightedCluster(clusters=clusters, **more)  # type: ignore[arg-type]  # as above
    return host(Route(match=ROOT, route=RouteAction(weighted_clusters=weighted)))


REFUSED: dict[str, Callable[[], VirtualHost]] = {
    "no name": lambda: host(name=""),
    "no domain": lambda: host(domains=[]),
    "a domain twice": lambda: host(domains=["web", "web"]),
    "a domain twice in other letters": lambda: host(domains=["web", "WEB"]),
    "a wildcard domain twice": lambda: host(domains=["*.web", "*.WEB"]),
    "everything twice": lambda: host(domains=["*", "*"]),
    "a domain with a line break": lambda: host(domains=["web\n"]),
    "a route without a match": lambda: host(Route(route=WEB)),
    "a route that does nothing": lambda: host(Route(match=ROOT)),
    "a match without a path": lambda: host(Route(match=RouteMatch(), route=WEB)),
    "no expression": lambda: matching(prefix=None, safe_regex=RegexMatcher(regex="")),
    "a bad expression": lambda: matching(prefix=None, safe_regex=RegexMatcher(regex="/(")),
    "a look-ahead": lambda: matching(prefix=None, safe_regex=RegexMatcher(regex="/(?=a)")),
    "an expression too large": lambda: matching(prefix=None, safe_regex=RegexMatcher(regex="/[a-z]{200}")),
    "a header match without a name": lambda: matching(headers=[HeaderMatcher(present_match=True)]),
    "a header name with a line break": lambda: matching(headers=[HeaderMatcher(name="a\n", present_match=True)]),
    "a header name with a NUL": lambda: matching(headers=[HeaderMatcher(name="a\0", present_match=True)]),
    "a header compared with an empty prefix": lambda: matching(
        headers=[HeaderMatcher(name="a", string_match=StringMatcher(prefix=""))]
    ),
    "a header compared with nothing at all": lambda: matching(
        headers=[HeaderMatcher(name="a", string_match=StringMatcher())]
    ),
    "a header's bad expression": lambda: matching(headers=[HeaderMatcher(name="a", string_match=regex("["))]),
    "a cookie without a name": lambda: matching(cookies=[CookieMatcher(string_match=StringMatcher(exact="a"))]),
    "a cookie compared with nothing": lambda: matching(cookies=[CookieMatcher(name="a")]),
    "a cookie's bad expression": lambda: matching(cookies=[CookieMatcher(name="a", string_match=regex("*"))]),
    "a parameter without a name": lambda: matching(query_parameters=[QueryParameterMatcher(present_match=True)]),
    "a parameter compared with nothing at all": lambda: matching(
        query_parameters=[QueryParameterMatcher(name="a", string_match=StringMatcher())]
    ),
    "a parameter's bad expression": lambda: matching(
        query_parameters=[QueryParameterMatcher(name="a", string_match=regex("["))]
    ),
    "a hash of nothing": lambda: acting(hash_policy=[RouteActionHashPolicy(terminal=True)]),
    "a hash of a header without a name": lambda: acting(
        hash_policy=[RouteActionHashPolicy(header=RouteActionHashPolicyHeader())]
    ),
    "a hash of a cookie without a name": lambda: acting(
        hash_policy=[RouteActionHashPolicy(cookie=RouteActionHashPolicyCookie())]
    ),
    "no cluster": lambda: acting(cluster=""),
    "nowhere to go": lambda: host(Route(match=ROOT, route=RouteAction(timeout=SECOND))),
    "a split of nothing": split,
    "a split without weight": lambda: split(0, 0),
    "a split heavier than 32 bits": lambda: split(0xFFFF_FFFF, 1),
    "a split by a header with a line break": lambda: split(1, header_name="a\r"),
    "a cluster of a split without a name": lambda: host(
        Route(
            match=ROOT,
            route=RouteAction(weighted_clusters=WeightedCluster(clusters=[WeightedClusterClusterWeight(weight=1)])),
        )
    ),
    "a negative timeout": lambda: acting(timeout=-SECOND),
    "a negative idle timeout": lambda: acting(idle_timeout=-SECOND),
    "a rewrite with a line break": lambda: acting(prefix_rewrite="/\n"),
    "two rewrites": lambda: acting(prefix_rewrite="/a", regex_rewrite=rewrite("/b", "/c")),
    "a rewrite by nothing": lambda: acting(regex_rewrite=RegexMatchAndSubstitute(substitution="/c")),
    "a rewrite by a bad expression": lambda: acting(regex_rewrite=rewrite("(", "/c")),
    "a negative time for each try": lambda: acting(retry_policy=RetryPolicy(per_try_timeout=-SECOND)),
    "a retry predicate that nobody has": lambda: acting(
        retry_policy=RetryPolicy(
            retry_host_predicate=[
                RetryPolicyRetryHostPredicate(name="no.such", typed_config=pack_any(RetryPolicy()))
            ]
        )
    ),
    "a pseudo header to add": lambda: host(request_headers_to_add=[header(":path")]),
    "the host header to add": lambda: host(request_headers_to_add=[header("Host")]),
    "a header to add without a name": lambda: host(response_headers_to_add=[header("")]),
    "a header to add with a line break": lambda: host(request_headers_to_add=[header("a", "b\nc: d")]),
    "an unknown command in a header": lambda: host(request_headers_to_add=[header("a", "%NO_SUCH%")]),
    "a single percent sign in a header": lambda: host(request_headers_to_add=[header("a", "5% off")]),
    "more headers than may be": lambda: host(request_headers_to_add=[header(f"h{at}") for at in range(1001)]),
    "a pseudo header to remove": lambda: host(request_headers_to_remove=[":method"]),
    "the host header to remove": lambda: host(request_headers_to_remove=["host"]),
    "no header to remove": lambda: host(response_headers_to_remove=[""]),
}  # fmt: skip


def test_what_we_refuse_envoy_refuses(tmp_path: Path, envoy_binary: Path, programs: Programs) -> None:
    """Each alone, in one Envoy: nothing is refused out of mere caution."""
    hosts = {name: make() for name, make in REFUSED.items()}
    passed = [name for name, each in hosts.items() if not list(virtual_host(each))]
    assert not passed, "we refuse each of them"
    words = Judge(envoy_binary, programs, tmp_path / "judge").judge(list(hosts.values()))
    taken = [name for name, why in zip(hosts, words, strict=True) if why is None]
    assert not taken, "Envoy refuses each of them"


# -- at random: good values mostly, and those that lie on some edge ---------------------------------------------------

TEXT = st.one_of(
    st.sampled_from(
        ["web", "/", "/api", "x-user", "host", ":authority", "*.web", "*", "web:80", "a*b", "GET", "%", "%%"]
    ),
    st.text(st.characters(codec="utf-8"), max_size=6),
)
REGEX = st.sampled_from(
    ["/a.*", "/(a)(b)?", "", "(", "[a-z]+", "(?i)x", "\\d{3}", "(?=a)", "[a-z]{40}", "(?P<n>a)", "a|", "(?s).*"]
)
TIME = st.sampled_from([0.0, 0.001, 0.0004, 1.0, 86_400.0, -1.0, 3650 * 86_400.0, 1e8]).map(
    lambda seconds: datetime.timedelta(seconds=seconds)
)
MATCHER = st.one_of(
    TEXT.map(lambda text: StringMatcher(exact=text)),
    TEXT.map(lambda text: StringMatcher(prefix=text)),
    REGEX.map(regex),
)
PATH = st.one_of(
    TEXT.map(lambda text: {"prefix": text}),
    TEXT.map(lambda text: {"path": text}),
    REGEX.map(lambda text: {"safe_regex": RegexMatcher(regex=text)}),
)
HEADER = st.one_of(
    st.builds(HeaderMatcher, name=TEXT, string_match=MATCHER, invert_match=st.booleans()),
    st.builds(HeaderMatcher, name=TEXT, present_match=st.booleans()),
)
COOKIE = st.builds(CookieMatcher, name=TEXT, string_match=MATCHER, invert_match=st.booleans())
QUERY = st.one_of(
    st.builds(QueryParameterMatcher, name=TEXT, string_match=MATCHER),
    st.builds(QueryParameterMatcher, name=TEXT, present_match=st.just(value=True)),
)
HASH = st.one_of(
    TEXT.map(lambda text: RouteActionHashPolicy(header=RouteActionHashPolicyHeader(header_name=text), terminal=True)),
    TEXT.map(lambda text: RouteActionHashPolicy(cookie=RouteActionHashPolicyCookie(name=text))),
    st.just(RouteActionHashPolicy(connection_properties=RouteActionHashPolicyConnectionProperties(source_ip=True))),
)
SUBSTITUTION = st.one_of(TEXT, st.sampled_from(["\\1", "\\0", "\\\\", "\\2/\\1", "\\", "\\x", "$1"]))
RETRY = st.builds(
    RetryPolicy,
    retry_on=st.one_of(TEXT, st.just("5xx,reset")),
    num_retries=st.sampled_from([None, 0, 1, 10, 0xFFFF_FFFF]),
    per_try_timeout=st.none() | TIME,
    host_selection_retry_max_attempts=st.sampled_from([0, 5]),
    refresh_cluster_on_retry=st.booleans(),
    retry_host_predicate=st.sampled_from([True, False]).map(
        lambda wanted: [
            RetryPolicyRetryHostPredicate(
                name="envoy.retry_host_predicates.previous_hosts", typed_config=pack_any(PreviousHostsPredicate())
            )
        ][: int(wanted)]
    ),
)
GOAL = st.one_of(
    TEXT.map(lambda text: {"cluster": text}),
    st.lists(st.tuples(TEXT, st.sampled_from([0, 1, 10_000, 0xFFFF_FFFF])), max_size=3).map(
        lambda pairs: {
            "weighted_clusters": WeightedCluster(
                clusters=[WeightedClusterClusterWeight(name=name, weight=weight) for name, weight in pairs],
                header_name="x-fairlead-bucket",
            )
        }
    ),
)
REWRITE: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    TEXT.map(lambda text: {"prefix_rewrite": text}),
    st.builds(rewrite, REGEX, SUBSTITUTION).map(lambda made: {"regex_rewrite": made}),
)


@st.composite
def random_hosts(draw: st.DrawFn) -> VirtualHost:
    routes = [
        Route(
            name=draw(TEXT),
            match=RouteMatch(
                **draw(PATH),
                headers=draw(st.lists(HEADER, max_size=1)),
                cookies=draw(st.lists(COOKIE, max_size=1)),
                query_parameters=draw(st.lists(QUERY, max_size=1)),
            ),
            route=RouteAction(
                **draw(GOAL),
                **draw(REWRITE),
                timeout=draw(st.none() | TIME),
                idle_timeout=draw(st.none() | TIME),
                retry_policy=draw(st.none() | RETRY),
                hash_policy=draw(st.lists(HASH, max_size=2)),
            ),
            request_headers_to_add=[header(*pair) for pair in draw(st.lists(st.tuples(TEXT, TEXT), max_size=1))],
        )
        for _ in range(draw(st.integers(0, 2)))
    ]
    removed = draw(st.lists(TEXT, max_size=1))
    domains = draw(st.lists(TEXT, min_size=1, max_size=3))
    return VirtualHost(name=draw(TEXT), domains=domains, routes=routes, request_headers_to_remove=removed)


def test_what_we_pass_envoy_takes(tmp_path: Path, envoy_binary: Path, programs: Programs) -> None:
    """Every random virtual host that passes, each in a listener of its own, in one Envoy."""
    passed: list[VirtualHost] = []

    @settings(max_examples=600, deadline=None, database=None, derandomize=True, phases=[Phase.generate])
    @given(random_hosts())
    def collect(made: VirtualHost) -> None:
        if not list(virtual_host(made)):
            passed.append(made)

    collect()
    assert len(passed) > 50, "they are not all bad"
    words = Judge(envoy_binary, programs, tmp_path / "judge").judge(passed)
    refused = [(why, each) for each, why in zip(passed, words, strict=True) if why is not None]
    assert not refused
