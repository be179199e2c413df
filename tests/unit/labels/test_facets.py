"""What labels say of their service and its routes; a mistake costs its facet, and no other (rows M02, M13)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.labels.labelled import WEB, described, understood, words
from xds.labels.description import ServiceLabels
from xds.labels.words import Entry
from xds.model.analysis import Analysis, NoData
from xds.model.balancing import Balancing, Outlier
from xds.model.breaker import Limits
from xds.model.preview import Preview
from xds.model.rollout import WAITS, Step
from xds.model.route import MatchKind, PathKind, PathMatch, Retry, Route, ValueMatch
from xds.model.service import Protocol
from xds.model.split import KeySource, SplitKey


def one_route(labels: dict[str, str]) -> Route:
    (route,) = understood({f"route.api.{key}": value for key, value in labels.items()}).routes
    return route


def test_a_service_that_says_nothing_proposes_nothing() -> None:
    assert understood().policy == ServiceLabels()
    assert understood().routes == ()


def test_everything_that_a_container_can_say_of_its_service() -> None:
    found = understood(
        {
            "protocol": "h2c", "timeout": "5s", "retry.attempts": "3", "retry.on": "5xx,reset", "retry.per-try": "2s",
            "retry.budget": "20%", "lb": "ring-hash", "hash": "cookie:sid", "outlier.consecutive-5xx": "3",
            "outlier.max-ejected": "25%", "canary.sticky": "header:x-user", "breaker.errors": "30%", "slow-ms": "250",
            "breaker.max-pending": "256", "allow-from": "shop,10.0.0.0/8",
        }
    )  # fmt: skip
    assert found.policy == ServiceLabels(
        protocol=Protocol.H2C,
        timeout=5,
        retry=Retry(3, ("5xx", "reset"), 2),
        balancing=Balancing.RING_HASH,
        hash_key=SplitKey(KeySource.COOKIE, "sid"),
        outlier=Outlier(consecutive_5xx=3, max_ejected=25),
        split_key=SplitKey(KeySource.HEADER, "x-user"),
        breaker={"errors": 30, "slow_ms": 250},
        limits=Limits(pending=256, retry_budget=20),
        allow_from=("shop", "10.0.0.0/8"),
    )


def test_a_breaker_may_be_forbidden() -> None:
    assert understood({"breaker": "false", "breaker.errors": "30"}).policy.breaker is False
    assert understood({"breaker": "true"}).policy.breaker == {}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"timeout": "2d"}, "172800.0 is not a timeout between 0 and 86400 seconds; it is left out"),
        ({"timeout": "soon"}, "'soon' is not a duration, as in 500ms, 5s or 2m; it is left out"),
        ({"retry.attempts": "11"}, "'11' is not between 0 and 10; what it says of retry is left out"),
        ({"retry.on": "5xx, a b"}, "'a b' is not a retry condition; what it says of retry is left out"),
        ({"outlier.ejection": "0s"}, "0.0 is not between 0.1 and 86400; what it says of outlier is left out"),
        (
            {"lb": "fastest"},
            "'fastest' is none of round-robin, least-request, random, ring-hash, maglev; what it says of",
        ),
        ({"hash": "sid"}, "'sid' is not header:NAME, cookie:NAME or source-ip; what it says of lb is left out"),
        ({"canary.steps": "5,1"}, "steps grow from one to the next, as in 1,5,25,50,100; what it says of canary is"),
        ({"canary.steps": "1,1e400"}, "not between 0 and 100 percent"),
        ({"canary.success-rate": "<=99"}, "'<=99' begins with another sign than >=, at position 1; what it says of"),
        ({"canary.success-rate": ">= 99,5"}, "'>= 99,5' is no bound such as >=99: ',' at position 6 is not allowed"),
        ({"canary.success-rate": ">=99.555"}, "'99.555' is no number with two decimals at most, at position 3, as in"),
        ({"canary.success-rate": ">=101%"}, "is not between 0 and 100 percent, at position 3, as in >=99; what"),
        ({"canary.p99": "<=soon"}, "'soon' is not a duration, as in 500ms, 5s or 2m, at position 3, as in <=500ms"),
        ({"canary.p99": "<=0s"}, "'0s' is no time that an answer may take, at position 3, as in <=500ms; what it"),
        ({"canary.vs-stable.error-delta": "=<0.5pp"}, "begins with another sign than <=, at position 1; what it"),
        ({"canary.vs-stable.error-delta": "<=pp"}, "'' is no number with two decimals at most, at position 3, as"),
        ({"canary.min-requests": "0"}, "'0' is not between 1 and 1000000000; what it says of canary is left out"),
        ({"canary.no-data": "shrug"}, "'shrug' is none of pause, fail, pass; what it says of canary is left out"),
        ({"breaker.errors": "1000"}, "less than or equal to 100"),
        ({"protocol": "tcp", "lb": "maglev"}, "maglev needs requests, and TCP has none"),
    ],
)
def test_a_bad_facet_costs_that_facet(labels: dict[str, str], message: str) -> None:
    found = described({**labels, "weight": "7", "route.ok.path": "/ok"} if "protocol" not in labels else labels)
    assert message in words(found)[0]
    assert found.description is not None
    assert found.description.policy == ServiceLabels(protocol=Protocol.TCP if "protocol" in labels else None)
    if "protocol" not in labels:
        assert (found.description.weight, len(found.description.routes)) == (7, 1)


def test_a_hash_without_balancing_by_it_is_pointed_out() -> None:
    assert words(described({"hash": "cookie:sid"})) == [
        "fairlead.hash: only ring-hash and maglev look at it; say fairlead.lb as well"
    ]


def test_a_route_with_everything() -> None:
    found = understood(
        {
            "route.api.host": "api.example.com, *.example.org", "route.api.path": "/v1", "route.api.method": "GET,POST",
            "route.api.priority": "-3", "route.api.header.x-tenant": "acme", "route.api.header.X-Trace": "*",
            "route.api.cookie.group": "~a|b", "route.api.query.tier": "^go", "route.api.rewrite": "/",
            "route.api.timeout": "0", "route.api.idle-timeout": "5m", "route.api.port": "admin", "ports.admin": "9000",
        },
        replace(WEB, ports=(8080, 9000)),
    )  # fmt: skip
    (route,) = found.routes
    assert str(route.key) == "default/web.api"
    assert (route.hosts, route.path) == (("api.example.com", "*.example.org"), PathMatch(PathKind.PREFIX, "/v1"))
    assert (route.methods, route.priority, route.port) == (("GET", "POST"), -3, "admin")
    assert route.headers == (
        ValueMatch("X-Trace", MatchKind.PRESENT), ValueMatch("x-tenant", MatchKind.EXACT, "acme"),
    )  # fmt: skip
    assert route.cookies == (ValueMatch("group", MatchKind.REGEX, "a|b"),)
    assert route.queries == (ValueMatch("tier", MatchKind.PREFIX, "go"),)
    assert (route.rewrite, route.timeout, route.idle_timeout) == ("/", 0, 300)


@pytest.mark.parametrize(
    ("path", "strip", "rewrite"), [("/v1", "/v1", "/"), ("/v1/api", "/v1/", "/api"), ("/v1/", "/v1", "/")]
)
def test_a_prefix_is_stripped_by_a_rewrite(path: str, strip: str, rewrite: str) -> None:
    assert one_route({"path": path, "strip-prefix": strip}).rewrite == rewrite


def test_a_rule_of_traefik_becomes_as_many_routes_as_it_has_alternatives() -> None:
    found = understood({"route.api.rule": "Host(`a.example`) && (PathPrefix(`/v1`) || Method(`get`))"})
    assert [(route.key.name, route.hosts, route.path.value, route.methods) for route in found.routes] == [
        ("web.api", ("a.example",), "/v1", ()),
        ("web.api-2", ("a.example",), "/", ("GET",)),
    ]


@pytest.mark.parametrize(
    ("labels", "label", "message"),
    [
        ({"host": "A.example"}, "host", "'A.example' is not a host"),
        ({"path": "v1"}, "path", "'v1' does not begin with '/', at position 1"),
        ({"path": "/a", "path-exact": "/a"}, "path", "a route compares one path, and"),
        ({"path-regex": "/a("}, "path-regex", "not a regular expression of RE2"),
        ({"header.x-a": "~("}, "header.x-a", "not a regular expression of RE2"),
        ({"header.x-a": "~"}, "header.x-a", "an empty regular expression"),
        ({"query.a": "!"}, "query.a", "the absence of a parameter cannot be matched"),
        ({"method": "get"}, "method", "'get' is not a method"),
        ({"timeout": "NaN"}, "timeout", "'NaN' is not a duration"),
        ({"port": "admin"}, "port", "it has no port 'admin'; it has default"),
        (
            {"strip-prefix": "/v2", "path": "/v1"},
            "strip-prefix",
            "/v2 is not how the paths that it matches begin (/v1)",
        ),
        ({"strip-prefix": "/v1", "path": "/v1", "rewrite": "/"}, "strip-prefix", "rewritten or stripped, not both"),
        ({"rule": "Host(`a.example`) &&"}, "rule", "a matcher, as in Host(`a.example`) is missing, at position"),
        ({"rule": "Host(`a.example`)", "path": "/"}, "rule", "a rule says it all"),
        ({"rule": "ClientIP(`10.0.0.0/8`)"}, "rule", "ClientIP(`10.0.0.0/8`): nothing here matches that way"),
    ],
)
def test_a_route_that_cannot_be_costs_itself(labels: dict[str, str], label: str, message: str) -> None:
    found = described({f"route.bad.{key}": value for key, value in labels.items()} | {"route.ok.path": "/ok"})
    assert any(each.startswith(f"fairlead.route.bad.{label}: ") and message in each for each in words(found))
    assert "route bad is left out" in words(found)[0]
    assert found.description is not None
    assert [route.key.name for route in found.description.routes] == ["web.ok"]


def test_a_tcp_service_has_no_routes() -> None:
    found = described({"protocol": "tcp", "route.api.host": "a.example"})
    assert words(found) == ["fairlead.route.api.host: a TCP service has no requests to match; route api is left out"]


@pytest.mark.parametrize(
    ("labels", "entry", "plan", "promotes"),
    [
        ({}, Entry.AUTO, (WAITS,), False),
        ({"canary.steps": "1,5,100", "canary.interval": "2m", "canary.auto-promote": "true"}, Entry.AUTO,
         (WAITS, Step(100, 120), Step(500, 120), Step(10_000, 120)), True),
        ({"canary.steps": "1,50,100", "canary.max": "50"}, Entry.AUTO, (WAITS, Step(100, None), Step(5000, None)),
         False),
        ({"canary": "manual", "canary.steps": "1,5"}, Entry.MANUAL, (), False),
        ({"canary": "off"}, Entry.OFF, (Step(10_000, 0),), True),
    ],
)  # fmt: skip
def test_how_a_version_would_like_to_come_in(
    labels: dict[str, str], entry: Entry, plan: tuple[Step, ...], promotes: bool
) -> None:
    canary = understood(labels).canary
    assert (canary.entry, canary.plan, canary.promotes) == (entry, plan, promotes)


def test_who_sees_a_version_before_others_and_what_it_gets_copies_of() -> None:
    labels = {"canary.match.header.x-canary": "insider", "canary.match.cookie.canary": "~a|b", "canary.mirror": "10%"}
    expected = Preview(
        "v1",
        (ValueMatch("x-canary", MatchKind.EXACT, "insider"),),
        (ValueMatch("canary", MatchKind.REGEX, "a|b"),),
        1_000,
    )
    assert understood(labels).canary.shown == expected
    assert understood({**labels, "canary": "manual"}).canary.shown is None, "nobody begins a rollout of it"
    assert understood({"canary.steps": "5,100"}).canary.shown is None


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"canary.match.header.x-canary": "~("}, "fairlead.canary.match.header.x-canary: "),
        ({"canary.match.cookie.beta": "^"}, "an empty prefix; to match any value use present"),
        ({"canary.mirror": "101"}, "not between 0 and 100 percent"),
        ({f"canary.match.header.a{n:02}": "1" for n in range(17)}, "fairlead.canary.match.header.a00: 17 header and"),
        ({"protocol": "tcp", "canary.mirror": "5"}, "canary.mirror: a TCP service has no requests to tell apart"),
        ({"protocol": "tcp", "canary.match.header.a": "1"}, "canary.match.header.a: a TCP service has no requests"),
    ],
)
def test_a_wrong_preview_costs_what_is_said_of_the_canary_and_it_waits_at_nothing(
    labels: dict[str, str], message: str
) -> None:
    found = described({**labels, "canary.steps": "5,100", "canary.auto-promote": "true"})
    assert [each for each in words(found) if message in each and "canary is left out" in each], words(found)
    assert found.description is not None
    assert (found.description.canary.plan, found.description.canary.shown) == ((WAITS,), None)


@pytest.mark.parametrize(
    ("labels", "criteria"),
    [
        ({"canary.steps": "5,100"}, None),
        ({"canary.success-rate": ">=99"}, Analysis(success_rate=9900)),
        ({"canary.success-rate": ">= 99.95 %"}, Analysis(success_rate=9995)),
        ({"canary.success-rate": "99"}, Analysis(success_rate=9900)),
        ({"canary.p99": "<=500ms"}, Analysis(p99=0.5)),
        ({"canary.p99": "1.5s"}, Analysis(p99=1.5)),
        ({"canary.vs-stable.error-delta": "<=0.5pp"}, Analysis(error_delta=50)),
        ({"canary.vs-stable.error-delta": "<= 1 pp"}, Analysis(error_delta=100)),
        ({"canary.min-requests": "200", "canary.no-data": "fail", "canary.auto-rollback": "false"},
         Analysis(200, no_data=NoData.FAIL, rollback=False)),
        ({"canary": "off", "canary.success-rate": ">=99"}, None),
    ],
)  # fmt: skip
def test_by_what_its_rollout_is_judged(labels: dict[str, str], criteria: Analysis | None) -> None:
    assert understood(labels).canary.criteria == criteria


@pytest.mark.parametrize(
    ("labels", "pause"),
    [
        ({"canary.min-requests": "200"}, 0.0),
        ({"canary.min-requests": "200", "canary.interval": "2m"}, 120.0),
        ({"canary.success-rate": ">=99"}, None),
    ],
)
def test_a_step_with_enough_requests_waits_for_nobody(labels: dict[str, str], pause: float | None) -> None:
    assert understood({"canary.steps": "5", **labels}).canary.plan == (WAITS, Step(500, pause))
