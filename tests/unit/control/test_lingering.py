"""Removed clusters go only when nobody can want them any more: a minute after the last node was seen without them."""

from __future__ import annotations

from collections.abc import Iterable

from xds.cache.resource import Resource
from xds.control.lingering import BOUND, CHECK, LINGER, Lingering
from xds.wire.types import ResourceType

CLUSTER = Resource.of(ResourceType.CLUSTER, "web/v1", b"x", "default")


class Behind:
    """The nodes that are behind, as the test says, by environment."""

    def __init__(self, **nodes: Iterable[str]) -> None:
        self.nodes = nodes

    def __call__(self, variant: str) -> Iterable[str]:
        return self.nodes.get(variant, ())


def test_the_minute_starts_at_once_when_nobody_is_behind() -> None:
    lingering = Lingering()
    lingering.removed(CLUSTER, 100.0)
    assert lingering.sweep(Behind(), 100.0) == ()
    assert lingering.due == 100.0 + LINGER
    assert lingering.sweep(Behind(), 100.0 + LINGER) == (CLUSTER.key,)
    assert lingering.due is None


def test_the_minute_starts_when_the_last_node_was_seen_without_it() -> None:
    lingering = Lingering()
    lingering.removed(CLUSTER, 100.0)
    for now in (100.0, 101.0, 150.0, 180.0):
        assert lingering.sweep(Behind(default=["slow"]), now) == ()
    assert lingering.due == 180.0 + CHECK
    lingering.sweep(Behind(), 181.0)
    assert lingering.due == 181.0 + LINGER


def test_nodes_need_not_have_caught_up_in_the_same_moment() -> None:
    """Under constant change somebody is always behind."""
    lingering = Lingering()
    lingering.removed(CLUSTER, 100.0)
    lingering.sweep(Behind(default=["a", "b"]), 100.0)
    lingering.sweep(Behind(default=["a"]), 101.0)
    lingering.sweep(Behind(default=["b"]), 102.0)
    assert lingering.due == 102.0 + LINGER


def test_a_node_that_came_later_is_not_waited_for() -> None:
    lingering = Lingering()
    lingering.removed(CLUSTER, 100.0)
    lingering.sweep(Behind(default=["a"]), 100.0)
    lingering.sweep(Behind(default=["new"]), 101.0)
    assert lingering.due == 101.0 + LINGER


def test_nodes_of_other_environments_are_not_waited_for() -> None:
    lingering = Lingering()
    lingering.removed(CLUSTER, 100.0)
    lingering.sweep(Behind(other=["a"]), 100.0)
    assert lingering.due == 100.0 + LINGER


def test_a_node_that_never_acknowledges_is_reported_and_waited_for_ten_minutes_at_most() -> None:
    lingering, behind = Lingering(), Behind(default=["silent"])
    lingering.removed(CLUSTER, 100.0)
    lingering.sweep(behind, 100.0)
    assert not list(lingering.problems(100.0))
    (problem,) = lingering.problems(100.0 + LINGER)
    assert (problem.kind, problem.object) == ("lingering", "default")
    assert "web/v1" in problem.message
    assert "silent" in problem.message
    assert lingering.sweep(behind, 100.0 + BOUND - 1) == ()
    assert lingering.sweep(behind, 100.0 + BOUND) == (CLUSTER.key,)
    assert not list(lingering.problems(100.0 + BOUND))


def test_what_is_declared_again_does_not_go() -> None:
    lingering = Lingering()
    lingering.removed(CLUSTER, 100.0)
    lingering.returned(CLUSTER.key)
    assert lingering.sweep(Behind(), 100.0 + BOUND) == ()


def test_what_lingered_before_a_restart_waits_for_those_who_come_back() -> None:
    lingering = Lingering()
    lingering.removed(CLUSTER, 112.0)
    lingering.sweep(Behind(), 100.0)
    assert lingering.due == 100.0 + CHECK
    lingering.sweep(Behind(), 112.0)
    assert lingering.due == 112.0 + LINGER
