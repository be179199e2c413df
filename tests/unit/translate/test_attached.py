"""Policies by selector: which holds for a service, who says so, what two that contradict each other cost (M13)."""

from __future__ import annotations

from typing import Any  # fields of a policy and a service, as keywords

import pytest

from tests.harness.declared import WEB, Book, instance, service
from xds.model.breaker import Limits
from xds.model.intent import Kind
from xds.model.names import Key, ServiceKey
from xds.model.policy import Mirror, ServicePolicy
from xds.model.problems import InvalidInput
from xds.model.route import Retry
from xds.model.selector import Selector
from xds.translate.policy import TIMEOUT, OwnLabels, Policy, policy


def attach(name: str, selector: str = "", **says: Any) -> ServicePolicy:
    return ServicePolicy(Key("default", name), Selector.parse(selector), **says)


def holds(*policies: ServicePolicy, labelled: dict[str, str] | None = None, **fields: Any) -> Policy:
    book = Book()
    book.put(service(labels={"tier": "web"}, stable="v1", **fields), instance("web-1"), *policies)
    view = book.intent.view(WEB)
    assert view is not None
    own: OwnLabels = tuple(sorted((labelled or {}).items()))
    return policy(view.service, {"v1": {own: 1}} if own else {}, view.policies)


def test_a_policy_holds_for_whom_it_picks_and_nobody_else() -> None:
    assert holds(attach("a", "tier=web", timeout=5.0)).timeout == 5.0
    assert holds(attach("a", "service in (web,api),protocol=http", timeout=5.0)).timeout == 5.0
    assert holds(attach("a", timeout=5.0)).timeout == 5.0
    assert holds(attach("a", "tier=db", timeout=5.0)).timeout == TIMEOUT
    other = ServicePolicy(Key("dev", "a"), Selector.parse("tier=web"), timeout=5.0)
    assert holds(other).timeout == TIMEOUT, "an environment is a wall to policies, too"


def test_every_field_is_decided_by_itself_and_tells_who_decided() -> None:
    found = holds(
        attach("a", "tier=web", timeout=5.0, mirror=Mirror("v2", 1_000)),
        attach("b", retry=Retry(attempts=0), limits=Limits(pending=5), timeout=7.0, allow_from=("shop",)),
        breaker={"errors": 30},
    )
    assert (found.timeout, found.retry.attempts, found.limits.pending, found.allow_from) == (5.0, 0, 5, ("shop",))
    assert found.mirror == Mirror("v2", 1_000)
    assert found.by == {
        "timeout": "policy a", "breaker": "service", "allow_from": "policy b", "retry": "policy b",
        "mirror": "policy a", "limits": "policy b",
    }  # fmt: skip


def test_the_service_s_own_word_goes_before_any_policy() -> None:
    strict = attach("a", timeout=5.0, retry=Retry(attempts=9), breaker={"errors": 10}, priority=100)
    found = holds(strict, timeout=15.0, retry=Retry(), breaker=False)
    assert (found.timeout, found.retry, found.breaker) == (15.0, Retry(), None)
    assert set(found.by.values()) == {"service"}


def test_labels_go_before_policies_and_after_the_service() -> None:
    labelled = {"fairlead.breaker.errors": "20", "fairlead.allow-from": "shop"}
    found = holds(attach("a", breaker={"errors": 10}, allow_from=("ops",)), labelled=labelled)
    assert found.breaker is not None
    assert (found.breaker.errors, found.allow_from) == (20, ("shop",))
    assert found.by["breaker"] == "label of version v1"


def test_priority_goes_first_then_the_selector_that_asks_for_more_then_the_name() -> None:
    wide, narrow = attach("wide", timeout=1.0), attach("narrow", "tier=web", timeout=2.0)
    assert holds(wide, narrow).timeout == 2.0
    assert holds(attach("wide", timeout=1.0, priority=1), narrow).timeout == 1.0
    assert holds(attach("b", "tier=web", timeout=3.0), attach("a", "service=web", timeout=4.0)).timeout == 4.0


def test_two_that_contradict_each_other_are_a_problem_with_both_names_c3() -> None:
    found = holds(attach("b", "tier=web", timeout=3.0), attach("a", "service=web", timeout=4.0))
    (problem,) = found.problems
    assert (problem.object, problem.pointer) == ("default/web", "/timeout")
    assert "policies a and b contradict each other; a holds" in problem.message
    assert not holds(attach("b", "tier=web", timeout=3.0), attach("a", "service=web", timeout=3.0)).problems
    assert not holds(attach("b", timeout=3.0), attach("a", timeout=4.0), timeout=5.0).problems, "neither decides"


def test_a_policy_that_comes_changes_or_goes_makes_anew_whom_it_picks_and_nobody_else() -> None:
    book, api = Book(), ServiceKey("default", "api")
    book.put(service(labels={"tier": "web"}), service(api, labels={"tier": "db"}))
    book.intent.take_dirty()
    book.put(attach("a", "tier=web", timeout=5.0))
    assert book.intent.take_dirty().services == {WEB}
    book.put(attach("a", "tier=db", timeout=5.0))
    assert book.intent.take_dirty().services == {WEB, api}
    book.delete(Kind.POLICY, "default/a")
    assert book.intent.take_dirty().services == {api}


@pytest.mark.parametrize(
    ("says", "pointer"),
    [
        ({"timeout": -1.0}, "/timeout"),
        ({"timeout": float("nan")}, "/timeout"),
        ({"priority": 10**9}, "/priority"),
        ({"allow_from": ("Web",)}, "/allow_from"),
    ],
)
def test_what_envoy_could_not_run_is_refused_c3(says: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        attach("a", **says)
    assert refused.value.pointer == pointer


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"subset": ""}, "/mirror/subset"),
        ({"subset": "v2", "share": 0}, "/mirror/share"),
        ({"subset": "v2", "share": 10_001}, "/mirror/share"),
        ({"subset": "v2", "service": "W"}, "/mirror/service"),
    ],
)
def test_a_mirror_copies_something_to_somebody(fields: dict[str, object], pointer: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Mirror(**fields)  # type: ignore[arg-type]  # the keywords are Mirror's own
    assert refused.value.pointer == pointer
