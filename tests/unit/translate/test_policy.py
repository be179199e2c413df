"""Which policy holds: the service's own fields, its labels, its stable version's; a bad label costs that label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest

from xds.model.breaker import NO_LIMITS, Forced, ForcedState, Limits
from xds.model.names import ServiceKey
from xds.model.service import Service
from xds.translate.policy import LIMITS, RULE, Policy, own_labels, policy
from xds.wire.filter_schema import BreakerRule

WEB = ServiceKey("default", "web")
Labels = Mapping[str, str]


def held(service: Service, *stable: Labels, canary: Labels | None = None) -> Policy:
    """The policy of a service whose stable version v1 has instances with these labels, and v2 one with those."""
    said = {
        "v1": Counter(filter(None, map(own_labels, stable))),
        "v2": Counter(filter(None, [own_labels(canary or {})])),
    }
    return policy(service, {version: found for version, found in said.items() if found})


def web(**fields: object) -> Service:
    return Service(WEB, stable="v1", **fields)  # type: ignore[arg-type]  # each test names fields of a service


def words(found: Policy) -> list[str]:
    return [problem.message for problem in found.problems]


def test_without_a_word_there_is_no_breaker_and_everybody_may_call() -> None:
    """A breaker changes where users are sent, so nobody gets one without having asked for it."""
    assert held(web(), {"team": "shop"}) == Policy()


def test_true_is_a_breaker_with_all_defaults() -> None:
    assert held(web(), {"fairlead.breaker": "true"}).breaker == BreakerRule()
    assert held(web(breaker={})).breaker == BreakerRule()


def test_any_label_of_the_rule_asks_for_a_breaker() -> None:
    assert held(web(), {"fairlead.breaker.errors": "30%"}).breaker == BreakerRule(errors=30)
    assert held(web(), {"fairlead.slow-ms": "250"}).breaker == BreakerRule(slow_ms=250)


def test_every_field_of_the_rule_and_of_the_limits_has_its_label() -> None:
    assert sorted(RULE.values()) == sorted(BreakerRule.model_fields)
    values = {label: "true" if field == "service" else "7" for label, field in RULE.items()}
    found = held(web(), {**values, **dict.fromkeys(LIMITS, "9")})
    numbers = dict.fromkeys(BreakerRule.model_fields, 7) | {"service": True}
    assert found.breaker == BreakerRule.model_validate(numbers)
    assert found.limits == Limits(9, 9, 9, 9, 9)
    assert found.problems == ()


def test_limits_alone_ask_for_no_breaker() -> None:
    found = held(web(), {"fairlead.breaker.max-pending": "5"})
    assert (found.breaker, found.limits) == (None, Limits(pending=5))


def test_the_service_wins_over_its_labels_and_those_over_its_stable_version() -> None:
    stable = {"fairlead.breaker.errors": "30", "fairlead.allow-from": "a"}
    declared = {"fairlead.breaker.errors": "40", "fairlead.allow-from": "b"}
    assert held(web(), stable).breaker == BreakerRule(errors=30)
    assert held(web(labels=declared), stable).breaker == BreakerRule(errors=40)
    own = held(web(labels=declared, breaker={"slow_ms": 9}, allow_from=("c",)), stable)
    assert (own.breaker, own.allow_from) == (BreakerRule(slow_ms=9), ("c",))


@pytest.mark.parametrize(
    "service", [web(breaker=False), web(labels={"fairlead.breaker": "off"})], ids=["field", "label"]
)
def test_false_is_no_breaker_whatever_others_say(service: Service) -> None:
    assert held(service, {"fairlead.breaker.errors": "30"}).breaker is None


def test_breaker_limits_and_callers_are_decided_each_by_itself() -> None:
    found = held(web(limits=Limits(retries=0)), {"fairlead.breaker": "true", "fairlead.breaker.max-retries": "9"})
    assert (found.breaker, found.limits) == (BreakerRule(), Limits(retries=0))


def test_a_canary_does_not_change_how_its_service_is_treated() -> None:
    found = held(web(), {"fairlead.breaker.errors": "30"}, canary={"fairlead.breaker.errors": "99"})
    assert (found.breaker, found.problems) == (BreakerRule(errors=30), ())


@pytest.mark.parametrize(
    ("label", "value", "sentence"),
    [
        ("fairlead.breaker.eror", "1", "nothing is known by that name; did you mean fairlead.breaker.errors?"),
        ("fairlead.breaker.errors", "half", "'half' is not a whole number"),
        ("fairlead.breaker.errors", "101", "less than or equal to 100"),
        ("fairlead.breaker.consecutive", "5%", "'5%' is not a whole number"),
        ("fairlead.breaker.service", "maybe", "'maybe' is neither true nor false"),
        ("fairlead.breaker", "yes", "'yes' is neither true nor false"),
        ("fairlead.breaker.max-requests", "0", "0 is not between 1 and"),
        ("fairlead.slow-ms", "9" * 30, "is not a whole number"),
        ("fairlead.allow-from", "Web", "'W' at position 1 is not allowed"),
    ],
)
def test_a_wrong_label_costs_that_label_and_says_why(label: str, value: str, sentence: str) -> None:
    found = held(web(), {label: value, "fairlead.breaker.probes": "4"})
    assert found.breaker == BreakerRule(probes=4)
    (problem,) = found.problems
    assert (problem.kind, problem.object, problem.pointer) == ("service", "default/web", f"/labels/{label}")
    assert problem.message.startswith(f"label {label} of version v1: ")
    assert sentence in problem.message


def test_a_mistake_of_a_canary_is_told_before_it_is_promoted() -> None:
    found = held(web(), {}, canary={"fairlead.breaker.errors": "half"})
    assert found.breaker is None
    assert "of version v2" in words(found)[0]


def test_where_instances_differ_most_of_them_decide_and_the_others_are_told() -> None:
    more, less = {"fairlead.breaker.errors": "30"}, {"fairlead.breaker.errors": "20"}
    found = held(web(), less, more, more)
    assert found.breaker == BreakerRule(errors=30)
    assert "say '30', which holds; others '20'" in words(found)[0]


def test_what_another_release_stored_costs_the_field_that_cannot_be_read() -> None:
    found = held(web(breaker={"errors": 30, "colour": 7, "probes": 0}))
    assert found.breaker == BreakerRule(errors=30)
    (problem,) = found.problems
    assert problem.pointer == "/breaker"
    assert "colour" in problem.message
    assert "probes" in problem.message


def test_star_is_everybody_and_an_empty_list_nobody() -> None:
    assert held(web(allow_from=("*",)), {"fairlead.allow-from": "a"}).allow_from is None
    assert held(web(allow_from=()), {"fairlead.allow-from": "a"}).allow_from == ()
    assert held(web(), {"fairlead.allow-from": " , "}).allow_from is None


def test_what_is_forced_rides_with_the_rule_under_the_names_of_clusters() -> None:
    service = web(breaker={"errors": 30}, forced={"v2": Forced(ForcedState.OPEN), "v3": Forced(ForcedState.CLOSED)})
    found = held(service).at({"web/v1": "v1", "web/v2": "v2"}, service)
    assert found is not None
    assert (found.errors, found.force) == (30, {"web/v2": "open"})


def test_an_operators_word_needs_no_breaker_and_brings_one_that_opens_for_nothing_else() -> None:
    service = web(forced={"v1": Forced(ForcedState.OPEN)})
    found = held(service).at({"web/v1": "v1"}, service)
    assert found is not None
    assert (found.consecutive, found.errors, found.slow, found.force) == (0, 0, 0, {"web/v1": "open"})
    assert held(service).at({"web/v2": "v2"}, service) is None
    assert held(service).limits == NO_LIMITS
