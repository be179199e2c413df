"""A published content is taken back only when nobody acknowledged it and enough of those who ask for it refuse it."""

from __future__ import annotations

import pytest

from xds.cache.group import Group
from xds.cache.resource import Resource
from xds.cache.roster import Roster
from xds.cache.table import Cache
from xds.cache.typestate import Node
from xds.control.verdicts import PATIENCE, Verdict, verdicts
from xds.wire.types import ResourceType

EVERYBODY = Group("all", ("",))
WORDS = "Error adding/updating cluster(s)"


class Fleet:
    """Nodes that ask for everything of a type and answer as the test says; time stands still unless it says so."""

    def __init__(self, size: int, type_: ResourceType = ResourceType.CLUSTER) -> None:
        self.cache, self.roster, self.type = Cache(), Roster(), type_
        self.size, self.now = size, 100.0
        for stream in range(size):
            self.roster.opened(stream, Node(f"n{stream}"), EVERYBODY, self.now)
            self.roster.subscribed(stream, type_, None)

    def publish(self, **contents: bytes) -> None:
        """Publish `name=content` and send everything to everybody."""
        self.cache.publish([Resource.of(self.type, name.replace("_", "/"), value) for name, value in contents.items()])
        self.send(*range(self.size))

    def send(self, *streams: int) -> None:
        snapshot = self.cache.latest()
        assert snapshot is not None
        held = {name: found.held for name, found in snapshot.view(self.type, EVERYBODY).items()}
        for stream in streams:
            self.roster.sent(stream, self.type, held, (), self.now)

    def ack(self, *streams: int) -> None:
        for stream in streams:
            self.roster.acked(stream, self.type, self.now)

    def nack(self, *streams: int, words: str = "no") -> None:
        for stream in streams:
            self.roster.nacked(stream, self.type, words, self.now)

    def judge(self) -> tuple[Verdict, ...]:
        return self.look()[0]

    def look(self) -> tuple[tuple[Verdict, ...], float | None]:
        snapshot = self.cache.latest()
        assert snapshot is not None
        return verdicts(snapshot, self.roster.nodes(), self.now)

    def names(self) -> list[str]:
        return sorted(verdict.refused.name for verdict in self.judge())


def test_what_all_of_them_refuse_is_taken_back_at_once() -> None:
    fleet = Fleet(3)
    fleet.publish(bad=b"x")
    fleet.nack(0, 1, 2, words="no such filter")
    (verdict,) = fleet.judge()
    assert (verdict.refused.name, verdict.nodes, verdict.holders) == ("bad", ("n0", "n1", "n2"), 3)
    assert verdict.message == "no such filter"


def test_one_node_takes_nothing_back() -> None:
    fleet = Fleet(1)
    fleet.publish(bad=b"x")
    fleet.nack(0)
    assert fleet.look() == ((), None)


@pytest.mark.parametrize(("nodes", "taken"), [(10, ["bad"]), (11, [])])
def test_two_nodes_take_back_what_is_a_fifth_of_them_and_not_less(nodes: int, taken: list[str]) -> None:
    fleet = Fleet(nodes)
    fleet.publish(bad=b"x")
    fleet.nack(0, 1)
    fleet.now += PATIENCE
    assert fleet.names() == taken


def test_one_acknowledgement_keeps_a_content_for_good() -> None:
    """Two hostile nodes of three stop nobody once the third has taken it, though it is gone since."""
    fleet = Fleet(3)
    fleet.publish(good=b"x")
    fleet.ack(0)
    fleet.roster.closed(0, fleet.now)
    fleet.nack(1, 2)
    fleet.now += 1000.0
    assert fleet.look() == ((), None)


def test_those_who_have_not_answered_may_speak_for_it_for_a_moment() -> None:
    fleet = Fleet(4)
    fleet.publish(bad=b"x")
    fleet.nack(0, 1)
    assert fleet.look() == ((), fleet.now + PATIENCE)
    fleet.now += PATIENCE
    assert fleet.names() == ["bad"]


def test_of_a_refused_response_only_what_envoy_names_is_taken_back() -> None:
    fleet = Fleet(2)
    fleet.publish(web_v1=b"x", web_v10=b"y", my_web_v1=b"z")
    fleet.nack(0, 1, words=f"{WORDS} web/v1: lb policy unknown")
    assert fleet.names() == ["web/v1"]


def test_where_envoy_names_nothing_all_that_was_new_is_taken_back() -> None:
    fleet = Fleet(2)
    fleet.publish(old=b"x")
    fleet.ack(0, 1)
    fleet.publish(one=b"1", two=b"2")
    fleet.nack(0, 1, words="out of memory")
    assert fleet.names() == ["one", "two"]


def test_a_companion_that_was_acknowledged_before_stays_even_if_envoy_names_it() -> None:
    fleet = Fleet(2)
    fleet.publish(old=b"x")
    fleet.ack(0, 1)
    fleet.publish(new=b"1")
    fleet.nack(0, 1, words="new contradicts old")
    assert fleet.names() == ["new"]


def test_endpoints_are_never_taken_back() -> None:
    fleet = Fleet(2, ResourceType.ENDPOINT)
    fleet.publish(web=b"x")
    fleet.nack(0, 1)
    assert fleet.look() == ((), None)


def test_a_refusal_of_what_is_not_published_any_more_takes_nothing_back() -> None:
    fleet = Fleet(2)
    fleet.publish(web=b"x")
    fleet.nack(0, 1)
    fleet.cache.publish([Resource.of(fleet.type, "web", b"y")])
    assert fleet.judge() == ()


def test_those_who_do_not_ask_for_it_do_not_count() -> None:
    fleet = Fleet(12)
    for stream in range(2, 12):
        fleet.roster.subscribed(stream, fleet.type, ["other"])
    fleet.publish(bad=b"x")
    fleet.nack(0, 1)
    (verdict,) = fleet.judge()
    assert verdict.holders == 2


def test_a_node_that_is_long_gone_does_not_count() -> None:
    fleet = Fleet(2)
    fleet.publish(bad=b"x")
    fleet.nack(0, 1)
    fleet.roster.closed(0, fleet.now)
    fleet.now += 61.0
    assert fleet.judge() == ()
