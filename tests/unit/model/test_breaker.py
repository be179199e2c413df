"""Breakers in the model: what an operator forces is the service's, and survives its declarations."""

from __future__ import annotations

from dataclasses import replace

import pytest

from xds.model.breaker import Forced, ForcedState, Limits
from xds.model.declare import Change, Declaration, ForceBreaker, Put
from xds.model.draft import Draft
from xds.model.instance import Instance
from xds.model.intent import Intent
from xds.model.names import ServiceKey
from xds.model.problems import Forbidden, InvalidInput, NotFound
from xds.model.service import Service

WEB = ServiceKey("default", "web")
OPEN = Forced(ForcedState.OPEN, "api", "it loses orders")


@pytest.fixture
def intent() -> Intent:
    found = Intent()
    for version in ("v1", "v2"):
        declare(found, Put(Instance(f"web-{version}", WEB, "10.0.0.1", {"http": 80}, version=version)))
    return found


def declare(intent: Intent, change: Change, **conditions: object) -> Service | None:
    draft = Draft(intent)
    draft.declare(Declaration(change, "api", **conditions))  # type: ignore[arg-type]  # each test names its conditions
    intent.commit(draft.writes, draft.revision)
    return intent.services.get(WEB)


def test_a_breaker_is_forced_and_given_back(intent: Intent) -> None:
    found = declare(intent, ForceBreaker(WEB, "v2", OPEN))
    assert found is not None
    assert found.forced == {"v2": replace(OPEN, since=intent.revision)}
    found = declare(intent, ForceBreaker(WEB, "v2"))
    assert found is not None
    assert found.forced == {}


def test_to_say_it_again_is_news_so_that_its_time_begins_again(intent: Intent) -> None:
    first = declare(intent, ForceBreaker(WEB, "v2", OPEN))
    assert declare(intent, ForceBreaker(WEB, "v2", OPEN)) != first


def test_what_is_forced_survives_a_declaration_of_the_policy_and_a_move_of_the_split(intent: Intent) -> None:
    forced = declare(intent, ForceBreaker(WEB, "v2", OPEN))
    assert forced is not None
    found = declare(intent, Put(Service(WEB, timeout=3.0, forced={"v1": OPEN})))
    assert found is not None
    assert found.forced == forced.forced
    assert found.timeout == 3.0


def test_a_version_that_nobody_has_is_refused_with_those_there_are(intent: Intent) -> None:
    with pytest.raises(InvalidInput, match="has no version or subset 'v9'; it has -, v1, v2") as error:
        declare(intent, ForceBreaker(WEB, "v9", OPEN))
    assert error.value.pointer == "/subset"


def test_what_is_not_there_cannot_be_forced_or_given_back(intent: Intent) -> None:
    with pytest.raises(NotFound, match="nobody forces the breaker of v2"):
        declare(intent, ForceBreaker(WEB, "v2"))
    with pytest.raises(NotFound, match="does not exist"):
        declare(intent, ForceBreaker(ServiceKey("default", "mail"), "v2", OPEN))


def test_what_belongs_to_somebody_else_takes_an_operator(intent: Intent) -> None:
    declare(intent, Put(Service(WEB, owner="file:shop")))
    with pytest.raises(Forbidden):
        declare(intent, ForceBreaker(WEB, "v2", OPEN))
    declare(intent, ForceBreaker(WEB, "v2", OPEN), operator=True)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e9, float("nan")])
def test_a_time_that_makes_no_sense_is_refused(seconds: float) -> None:
    with pytest.raises(InvalidInput, match="not between a second and 30 days"):
        Forced(ForcedState.OPEN, lasts=seconds)


@pytest.mark.parametrize(("name", "value"), [("connections", 0), ("requests", -1), ("pending", 2**32), ("retries", -1)])
def test_a_limit_that_lets_nothing_through_is_refused_at_its_field(name: str, value: int) -> None:
    with pytest.raises(InvalidInput) as error:
        Limits(**{name: value})
    assert error.value.pointer == f"/limits/{name}"


def test_no_retries_at_all_is_a_limit() -> None:
    assert Limits(retries=0).retries == 0
