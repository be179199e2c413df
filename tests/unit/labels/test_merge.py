"""Containers of one service together: the stable version speaks, others propose (rows M12, M13)."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.labels.labelled import WEB, understood
from xds.labels.description import Description
from xds.labels.merge import by_service, merge
from xds.labels.words import Entry
from xds.model.declare import Declaration, Put
from xds.model.draft import Draft
from xds.model.intent import Declared, Intent
from xds.model.names import ServiceKey
from xds.model.service import Service
from xds.model.split import KeySource, Segment, Split, SplitKey

KEY = ServiceKey("default", "web")
OURS = "docker:one"


def container(number: int, version: str = "v1", **labels: str) -> Description:
    said = {key.replace("__", "."): value for key, value in labels.items()}
    return understood({"version": version, **said}, replace(WEB, id=f"{number:064x}", name=f"web-{number}"))


def standing(**more: object) -> Service:
    split = Split((Segment("v1", 10_000),), salt="default/web")
    return replace(Service(KEY, stable="v1", split=split, owner="auto"), **more)  # type: ignore[arg-type]  # by name


def test_a_service_without_policy_is_not_declared_at_all() -> None:
    found = merge([container(1)], standing(), OURS)
    assert (found.speaks, found.service, found.routes, found.proposals) == (True, None, (), ())


def test_the_first_version_of_a_new_service_is_its_stable_one() -> None:
    found = merge([container(1, "v2", timeout="5s"), container(2, "v1", timeout="9s")], None, OURS)
    assert (found.stable, found.service and found.service.timeout) == ("v2", 5)


def test_the_stable_version_declares_policy_and_routes() -> None:
    found = merge([container(1, timeout="5s", canary__sticky="cookie:uid", route__api__path="/v1")], standing(), OURS)
    assert found.service is not None
    assert (found.service.timeout, found.service.owner) == (5, OURS)
    assert found.service.split.key == SplitKey(KeySource.COOKIE, "uid")
    assert [(str(route.key), route.owner) for route in found.routes] == [("default/web.api", OURS)]


def test_two_versions_with_conflicting_labels_do_each_other_no_harm() -> None:
    """The stable one keeps serving as it did; what the other says is shown."""
    one = container(1, timeout="5s", route__api__path="/v1")
    other = container(2, "v2", timeout="9s", breaker__errors="30", route__api__path="/v2", route__new__path="/new")
    found = merge([one, other], standing(), OURS)
    assert found.service == merge([one], standing(), OURS).service
    assert found.routes == merge([one], standing(), OURS).routes
    assert [(each.version, each.field) for each in found.proposals] == [
        ("v2", "timeout"), ("v2", "breaker"), ("v2", "route web.api"), ("v2", "route web.new"),
    ]  # fmt: skip
    assert str(found.proposals[0]) == "default/web v2: timeout would be 9.0; 5.0 holds"


def test_a_version_that_is_promoted_speaks_from_then_on() -> None:
    known = standing(stable="v2", split=Split((Segment("v2", 10_000),)), timeout=5.0, owner=OURS)
    found = merge([container(1, timeout="5s"), container(2, "v2", timeout="9s")], known, OURS)
    assert found.service is not None
    assert found.service.timeout == 9
    assert [(each.version, each.field) for each in found.proposals] == [("v1", "timeout")]


def test_where_no_container_is_of_the_stable_version_nothing_is_declared_or_taken_back() -> None:
    found = merge([container(2, "v2", timeout="9s", route__api__path="/v2")], standing(owner=OURS), OURS)
    assert (found.speaks, found.service, found.routes) == (False, None, ())
    assert [each.field for each in found.proposals] == ["timeout", "route web.api"]


def test_an_operators_declaration_stands_and_labels_propose() -> None:
    found = merge([container(1, timeout="5s", lb="random")], standing(owner="file:shop", timeout=5.0), OURS)
    assert found.service is None
    assert [(each.version, each.field, each.holds) for each in found.proposals] == [("v1", "balancing", "round-robin")]


def test_a_route_that_an_operator_declared_stands_and_labels_propose() -> None:
    (theirs,) = merge([container(1, route__api__path="/v2")], standing(), "file:shop").routes
    found = merge([container(1, route__api__path="/v1")], standing(), OURS, [theirs])
    assert (found.routes, found.stale) == ((), ())
    assert [(each.version, each.field) for each in found.proposals] == [("v1", "route web.api")]


def test_a_route_that_no_label_names_any_more_is_stale_once_the_stable_version_speaks() -> None:
    (held,) = merge([container(1, route__api__path="/v1")], standing(), OURS).routes
    assert merge([container(1)], standing(), OURS, [held]).stale == (held,)
    assert merge([container(1), container(2, route__api__path="/v9")], standing(), OURS, [held]).stale == ()
    assert merge([container(2, "v2")], standing(), OURS, [held]).stale == (), "v1 may be on its way back"
    assert merge([container(1)], standing(), "file:other", [held]).stale == ()


def test_labels_that_are_gone_give_their_policy_back() -> None:
    found = merge([container(1)], standing(owner=OURS, timeout=5.0), OURS)
    assert found.service is not None
    assert found.service.timeout is None


def test_what_most_containers_of_a_version_say_holds_and_the_difference_is_told() -> None:
    found = merge([container(1, timeout="5s"), container(2, timeout="9s"), container(3, timeout="5s")], None, OURS)
    assert found.service is not None
    assert found.service.timeout == 5
    assert [problem.message for problem in found.problems] == [
        "containers of version v1 differ in timeout; what most of them say holds"
    ]


def test_a_version_that_nobody_has_seen_waits_for_a_rollout() -> None:
    found = merge([container(1), container(2, "v2", canary__steps="5,50"), container(3, "v3")], standing(), OURS)
    assert [(each.version, each.canary.entry) for each in found.waiting] == [("v2", Entry.AUTO), ("v3", Entry.AUTO)]
    assert [step.weight for step in found.waiting[0].canary.plan] == [0, 500, 5000]
    in_progress = standing(split=Split((Segment("v1", 9000), Segment("v2", 1000))))
    assert [each.version for each in merge([container(2, "v2")], in_progress, OURS).waiting] == []


def test_containers_are_told_apart_by_their_service() -> None:
    shop = understood({"service": "shop"})
    assert by_service([container(1), shop, container(2)]) == {
        KEY: [container(1), container(2)], shop.service: [shop],
    }  # fmt: skip


def test_the_registry_gives_an_unseen_version_of_a_known_service_nothing() -> None:
    """`fairlead.canary=auto` as the model has it: v2 registers, and nobody is sent there."""
    intent = Intent()
    for each in (container(1), container(2, "v2", canary="auto", canary__steps="5,100")):
        draft = Draft(intent)
        draft.declare(Declaration(Put(each.instance("10.0.0.7", owner=OURS)), actor=OURS))
        intent.commit(draft.writes, draft.revision)
    service = intent.services[KEY]
    assert (service.stable, service.split.weights) == ("v1", {"v1": 10_000})


def test_what_is_declared_is_taken_by_the_registry() -> None:
    intent = Intent()
    found = merge([container(1, timeout="5s", route__api__path="/v1")], None, OURS)
    assert found.service is not None
    everything: tuple[Declared, ...] = (container(1).instance("10.0.0.7", owner=OURS), found.service, *found.routes)
    for declared in everything:
        draft = Draft(intent)
        draft.declare(Declaration(Put(declared), actor=OURS))
        intent.commit(draft.writes, draft.revision)
    assert intent.services[KEY].timeout == 5
    assert intent.services[KEY].stable == "v1"
