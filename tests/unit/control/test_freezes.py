"""What runs instead of a content that was taken back, and how long that content stays out."""

from __future__ import annotations

from xds.cache.group import Group
from xds.cache.resource import Resource
from xds.cache.roster import Roster
from xds.cache.typestate import Node
from xds.control.freezes import Freezes
from xds.control.verdicts import Verdict
from xds.wire.types import ResourceType


def routes(value: bytes) -> Resource:
    return Resource.of(ResourceType.ROUTE, "egress", value, "default")


A, B, C = routes(b"a"), routes(b"b"), routes(b"c")


def refusal(resource: Resource) -> Verdict:
    return Verdict(resource, ("one", "two"), 2, "no")


def holding(*acknowledged: Resource) -> Roster:
    roster = Roster()
    for stream, resource in enumerate(acknowledged):
        roster.opened(stream, Node(f"n{stream}"), Group("", ("default",)), 0.0)
        roster.subscribed(stream, resource.type, None)
        roster.sent(stream, resource.type, {resource.name: resource.held}, (), 0.0)
        roster.acked(stream, resource.type, 0.0)
    return roster


def test_the_last_acknowledged_content_runs_instead_though_another_was_published_since() -> None:
    freezes = Freezes()
    freezes.replaced(A, B, holding(A).nodes())
    freezes.replaced(B, C, ())
    frozen = freezes.freeze(refusal(C), ())
    assert frozen is not None
    assert frozen.instead is A


def test_what_was_acknowledged_only_after_it_was_replaced_counts_too() -> None:
    freezes = Freezes()
    freezes.replaced(A, B, holding(A).nodes())
    freezes.replaced(B, C, holding(A).nodes())
    frozen = freezes.freeze(refusal(C), holding(B).nodes())
    assert frozen is not None
    assert frozen.instead is B


def test_without_an_acknowledged_content_the_one_before_runs_and_if_it_is_refused_too_nothing() -> None:
    freezes = Freezes()
    freezes.replaced(A, B, ())
    frozen = freezes.freeze(refusal(B), ())
    assert frozen is not None
    assert frozen.instead is A
    frozen = freezes.freeze(refusal(A), ())
    assert frozen is not None
    assert frozen.instead is None


def test_of_a_new_name_nothing_is_left() -> None:
    freezes = Freezes()
    freezes.replaced(None, A, ())
    frozen = freezes.freeze(refusal(A), ())
    assert frozen is not None
    assert frozen.instead is None


def test_what_was_published_at_the_start_is_never_taken_back_to_nothing() -> None:
    """What ran before is not known any more, and Envoys keep it: to remove it would be worse than any refusal."""
    assert Freezes().freeze(refusal(A), ()) is None


def test_the_refused_content_stays_out_until_there_is_another() -> None:
    freezes = Freezes()
    freezes.replaced(A, B, ())
    freezes.freeze(refusal(B), ())
    assert freezes.admit([routes(b"b")]) == []
    assert [problem.object for problem in freezes.problems] == ["rds egress of default"]
    assert freezes.admit([C]) == [C]
    assert not list(freezes.problems)
    assert freezes.admit([B]) == [B]


def test_what_is_removed_is_forgotten() -> None:
    freezes = Freezes()
    freezes.replaced(A, B, ())
    freezes.freeze(refusal(B), ())
    freezes.removed(B.key)
    assert freezes.get(B.key) is None
    assert freezes.admit([B]) == [B]
