"""Traefik's rules: alternatives that a route can match, and what cannot be said."""

from __future__ import annotations

import pytest

from xds.labels.rule import RuleMatch, read_rule
from xds.model.problems import InvalidInput
from xds.model.route import MatchKind, PathKind, PathMatch, ValueMatch


def test_hosts_that_differ_alone_are_one_route() -> None:
    found = read_rule("Host(`A.example`) || Host(`b.example`, `c.example`)")
    assert found.matches == (RuleMatch(hosts=("a.example", "b.example", "c.example")),)


@pytest.mark.parametrize(
    ("rule", "match"),
    [
        ('PathPrefix("/v1")', RuleMatch(path=PathMatch(PathKind.PREFIX, "/v1"))),
        ("Path(`/v1`)", RuleMatch(path=PathMatch(PathKind.EXACT, "/v1"))),
        ("PathRegexp(`^/v[0-9]+$`)", RuleMatch(path=PathMatch(PathKind.REGEX, "/v[0-9]+"))),
        ("PathRegexp(`/item/`)", RuleMatch(path=PathMatch(PathKind.REGEX, ".*/item/.*"))),
        ("HostRegexp(`^.+\\.example\\.com$`)", RuleMatch(hosts=("*.example.com",))),
        ("Headers(`x-a`, `1`)", RuleMatch(headers=(ValueMatch("x-a", MatchKind.EXACT, "1"),))),
        ("HeaderRegexp(`x-a`, `^1`)", RuleMatch(headers=(ValueMatch("x-a", MatchKind.REGEX, "1.*"),))),
        ("!Header(`x-a`)", RuleMatch(headers=(ValueMatch("x-a", MatchKind.ABSENT),))),
        ("Query(`a=b`)", RuleMatch(queries=(ValueMatch("a", MatchKind.EXACT, "b"),))),
        ("Query(`a`)", RuleMatch(queries=(ValueMatch("a", MatchKind.PRESENT),))),
    ],
)
def test_each_matcher_has_its_place(rule: str, match: RuleMatch) -> None:
    assert read_rule(rule).matches == (match,)


def test_and_distributes_over_or_and_not_over_both() -> None:
    found = read_rule("!(Header(`a`) && Header(`b`)) && Host(`h`)")
    assert [(match.hosts, [header.name for header in match.headers]) for match in found.matches] == [
        (("h",), ["a"]), (("h",), ["b"]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "rule",
    ["ClientIP(`10.0.0.1`)", "!Host(`a`)", "Host(`a`) && Host(`b`)", "HostRegexp(`a.*`)", "Path(`/{id:[0-9]+}`)"],
)
def test_a_condition_that_cannot_be_said_costs_its_alternative(rule: str) -> None:
    """Without the condition the route would take requests that its author never meant."""
    found = read_rule(f"({rule}) || Path(`/ok`)")
    assert found.matches == (RuleMatch(path=PathMatch(PathKind.EXACT, "/ok")),)
    assert len(found.left_out) == 1


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("", "a matcher, as in Host(`a.example`) is missing, at position 1"),
        ("Host(`a`", "')' is missing, at position"),
        ("Host(a)", "text in backticks is missing, at position 6"),
        ("Host(`a`) Path(`/`)", "'Path' is not expected, at position 11"),
        ("Host(`a`) & Path(`/`)", "'& Path(`' is not expected, at position 11"),
        ("(" * 500, "the rule is too deep, or too long"),
        (" && ".join(["(Method(`A`) || Method(`B`))"] * 9), "more than 16 alternatives"),
    ],
)
def test_what_is_no_rule_is_told_with_its_place(rule: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_rule(rule)
    assert message in caught.value.message
