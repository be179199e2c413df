"""Rule 37: what status a resource has at a node, from what is published, sent, accepted, refused and owed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from xds.cache import Cache, ClientStatus, ConfigStatus, Group, Resource, ResourceKey, Standing, TypeState, standings
from xds.wire.types import ResourceType

CDS, RDS = ResourceType.CLUSTER, ResourceType.ROUTE
GROUP = Group("g")


@dataclass
class Left:
    """What a stream has still to do."""

    owed: Collection[str] = ()
    parked: Collection[str] = ()
    held_back: Collection[str] = ()


class Desk:
    """A cache, and one type of one node that is sent what the test says."""

    def __init__(self, names: Collection[str] | None = ("a",)) -> None:
        self.cache = Cache()
        self.cache.publish()
        self.state = TypeState()
        self.state.on_subscribed(names)

    def publish(self, content: str, name: str = "a") -> Resource:
        snapshot = self.cache.publish([Resource.of(CDS, name, content.encode())])
        found = snapshot.get(ResourceKey(CDS, name))
        assert found is not None
        return found

    def unpublish(self, name: str = "a") -> None:
        self.cache.publish([], [ResourceKey(CDS, name)])

    def send(self, *resources: Resource, removed: Collection[str] = ()) -> None:
        self.state.on_sent({each.name: each.held for each in resources}, removed, 1.0)

    def accept(self, *resources: Resource) -> None:
        self.send(*resources)
        self.state.on_acked(2.0)

    def refuse(self, *resources: Resource, words: str = "bad") -> None:
        self.send(*resources)
        self.state.on_nacked(words, 3.0)

    def all(self) -> list[Standing]:
        snapshot = self.cache.latest()
        assert snapshot is not None
        return standings(self.state, snapshot.view(CDS, GROUP))

    def of(self, name: str = "a") -> tuple[ConfigStatus, ClientStatus]:
        (found,) = [each for each in self.all() if each.name == name]
        return found.status, found.client


def test_rule_37_what_was_not_sent_yet_is_not_sent() -> None:
    desk = Desk()
    desk.publish("1")
    assert desk.of() == (ConfigStatus.NOT_SENT, ClientStatus.REQUESTED)


def test_rule_37_what_was_sent_and_not_answered_is_stale() -> None:
    desk = Desk()
    desk.send(desk.publish("1"))
    assert desk.of() == (ConfigStatus.STALE, ClientStatus.REQUESTED)


def test_rule_37_what_was_accepted_is_synced() -> None:
    desk = Desk()
    desk.accept(desk.publish("1"))
    assert desk.of() == (ConfigStatus.SYNCED, ClientStatus.ACKED)


def test_rule_37_what_was_refused_is_an_error_with_its_words_and_its_version() -> None:
    desk = Desk()
    good = desk.publish("1")
    desk.accept(good)
    bad = desk.publish("2")
    desk.refuse(bad, words="no such filter")
    (found,) = desk.all()
    assert found[1:5] == (ConfigStatus.ERROR, ClientStatus.NACKED, bad, good.held)
    assert found.refusal is not None
    assert (found.refusal.message, found.refusal.versions["a"]) == ("no such filter", bad.held)


def test_what_changed_since_it_was_accepted_is_not_sent_and_then_stale() -> None:
    desk = Desk()
    desk.accept(desk.publish("1"))
    second = desk.publish("2")
    assert desk.of() == (ConfigStatus.NOT_SENT, ClientStatus.ACKED)
    desk.send(second)
    assert desk.of() == (ConfigStatus.STALE, ClientStatus.ACKED)


def test_what_changed_since_it_was_refused_is_not_sent_then_stale_then_synced() -> None:
    """The refusal stands until an answer settles it, but it is not of what is published."""
    desk = Desk()
    desk.refuse(desk.publish("1"))
    second = desk.publish("2")
    assert desk.of() == (ConfigStatus.NOT_SENT, ClientStatus.NACKED)
    desk.send(second)
    assert desk.of() == (ConfigStatus.STALE, ClientStatus.NACKED)
    desk.state.on_acked(4.0)
    assert desk.of() == (ConfigStatus.SYNCED, ClientStatus.ACKED)


def test_what_is_parked_stays_an_error_when_others_are_refused_or_accepted_after_it() -> None:
    desk = Desk(["a", "b", "c"])
    desk.refuse(desk.publish("1"), words="about a")
    desk.state.progress = Left(parked=["a"])
    desk.refuse(desk.publish("1", "b"), words="about b")
    desk.accept(desk.publish("1", "c"))
    assert [(each.status, each.refusal and each.refusal.message) for each in desk.all()] == [
        (ConfigStatus.ERROR, "about a"),
        (ConfigStatus.ERROR, "about b"),
        (ConfigStatus.SYNCED, None),
    ]
    assert desk.state.nack is not None
    desk.accept(desk.publish("2", "b"))
    assert desk.state.nack is not None
    assert desk.state.nack.message == "about a", "what is refused still is the last refusal, not nothing"


def test_what_is_held_back_is_not_sent_while_the_node_keeps_what_it_has() -> None:
    desk = Desk()
    desk.accept(desk.publish("1"))
    desk.publish("2")
    desk.state.progress = Left(owed=["a"], held_back=["a"])
    assert desk.of() == (ConfigStatus.NOT_SENT, ClientStatus.ACKED)


def test_a_name_without_a_resource_is_requested_until_the_node_was_told_so() -> None:
    desk = Desk()
    desk.state.progress = Left(owed=["a"])
    assert desk.of() == (ConfigStatus.NOT_SENT, ClientStatus.REQUESTED)
    desk.state.progress = Left()
    assert desk.of() == (ConfigStatus.NOT_SENT, ClientStatus.DOES_NOT_EXIST)


def test_a_removal_is_not_sent_then_stale_then_the_name_does_not_exist() -> None:
    desk = Desk()
    desk.accept(desk.publish("1"))
    desk.unpublish()
    assert desk.of() == (ConfigStatus.NOT_SENT, ClientStatus.ACKED)
    desk.send(removed=["a"])
    assert desk.of() == (ConfigStatus.STALE, ClientStatus.ACKED)
    desk.state.on_acked(2.0)
    assert desk.of() == (ConfigStatus.NOT_SENT, ClientStatus.DOES_NOT_EXIST)


def test_a_node_that_asks_for_everything_stands_to_what_is_there_and_to_what_it_still_holds() -> None:
    desk = Desk(None)
    desk.accept(desk.publish("1", "old"))
    desk.unpublish("old")
    desk.publish("1", "new")
    assert [(each.name, each.status) for each in desk.all()] == [
        ("new", ConfigStatus.NOT_SENT),
        ("old", ConfigStatus.NOT_SENT),
    ]
    desk.send(removed=["old"])
    desk.state.on_acked(2.0)
    assert [each.name for each in desk.all()] == ["new"]


def test_a_node_that_was_told_why_there_is_no_resource_has_received_an_error() -> None:
    desk = Desk()
    failed = Resource.failed(CDS, "a", 13, "out of order")
    desk.cache.publish([failed])
    desk.accept(failed)
    assert desk.of() == (ConfigStatus.SYNCED, ClientStatus.RECEIVED_ERROR)
    assert failed.packed == b""


def test_a_resource_gives_back_the_message_it_was_made_of() -> None:
    for size in (0, 5, 200, 70_000):
        packed = Resource.of(CDS, "a", b"x" * size).packed
        assert packed.endswith(b"x" * size)
        assert packed.startswith(b"\x0a")
