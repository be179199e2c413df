"""A stream as a whole: groups, removals, the state of two streams that know nothing of each other."""

from __future__ import annotations

from tests.unit.protocol.client import ALL, CDS, EDS, RDS, Client, contents, delta, resource, sotw
from xds.cache import Cache, Group
from xds.protocol import DeltaExchange, DeltaRequest, Session, StateExchange, StateRequest
from xds.wire.types import ResourceType


def test_a_stream_sees_its_groups_variants_only() -> None:
    cache = Cache()
    cache.publish([resource(CDS, "a", "plain"), resource(CDS, "a", "blue", "blue"), resource(CDS, "b", "x", "red")])
    client = Client(Session(Group("blue", ("blue", "")), DeltaExchange), cache)
    (response,) = client.ask(DeltaRequest(CDS))
    assert {name: held.version for name, held in response.sent.items()} == {"a": resource(CDS, "a", "blue").version}


def test_a_change_that_the_group_does_not_see_sends_nothing() -> None:
    cache = Cache()
    cache.publish([resource(CDS, "a"), resource(CDS, "b")])
    client = Client(Session(Group("g", admits=lambda _type, name: name == "a"), DeltaExchange), cache)
    client.ask(DeltaRequest(CDS))
    client.ask(DeltaRequest(CDS, nonce="1"))
    assert client.publish(CDS, b="2") == []


def test_what_a_removed_cluster_leaves_behind_waits_for_the_routes() -> None:
    client = delta()
    client.publish(CDS, old="1")
    client.publish(RDS, egress="1")
    client.ask(DeltaRequest(CDS))
    client.ask(DeltaRequest(RDS, ("egress",)))
    client.ask(DeltaRequest(CDS, nonce="1"))
    client.publish(CDS, ("old",))
    assert client.last.responses == []
    assert contents(client.ask(DeltaRequest(RDS, nonce="2"))) == [("cds", [], ["old"])]


def test_a_removed_endpoint_waits_for_the_removal_of_its_cluster() -> None:
    client = delta()
    for type_ in (CDS, EDS):
        client.publish(type_, old="1")
    client.ask(DeltaRequest(CDS))
    client.ask(DeltaRequest(EDS, ("old",)))
    client.ask(DeltaRequest(CDS, nonce="1"))
    client.ask(DeltaRequest(EDS, nonce="2"))
    client.publish(CDS, ("old",))
    assert client.publish(EDS, ("old",)) == []
    assert contents(client.ask(DeltaRequest(CDS, nonce="3"))) == [("eds", [], ["old"])]


def test_a_full_state_carries_what_still_lingers_under_its_own_version() -> None:
    """The union and the new state alone are two contents: a client that answers one has not answered the other."""
    client = sotw()
    client.publish(CDS, old="1")
    client.publish(RDS, egress="1")
    client.ask(StateRequest(CDS))
    client.ask(StateRequest(RDS, ("egress",)))
    client.ask(StateRequest(CDS, nonce="1"))
    union = client.publish(CDS, ("old",), new="1")
    assert contents(union) == [("cds", ["new", "old"], [])]
    client.ask(StateRequest(CDS, nonce="3"))
    alone = client.ask(StateRequest(RDS, ("egress",), nonce="2"))
    assert contents(alone) == [("cds", ["new"], ["old"])]
    assert alone[0].version != union[0].version


def test_a_stream_that_missed_too_many_changes_still_comes_to_the_latest() -> None:
    client = delta()
    client.publish(EDS, a="0", b="0")
    client.ask(DeltaRequest(EDS, ("a", "b")))
    for round_ in range(300):
        client.cache.publish([resource(EDS, "b", str(round_))])
    client.cache.publish([resource(EDS, "b", "0")])
    client.cache.publish([resource(EDS, "a", "1")])
    assert contents(client.ask(DeltaRequest(EDS, nonce="1"))) == [("eds", ["a"], [])]


def test_a_content_that_vanished_and_came_back_unnoticed_is_not_sent_again() -> None:
    client = delta()
    client.publish(EDS, a="1")
    client.ask(DeltaRequest(EDS, ("a",)))
    client.publish(EDS, ("a",))
    client.publish(EDS, a="1")
    assert client.ask(DeltaRequest(EDS, nonce="1")) == []


def test_names_of_a_type_never_asked_for_are_none_at_all() -> None:
    assert delta().session.names(ResourceType.SECRET) == frozenset()


def test_a_stream_that_sees_another_group_is_sent_the_difference_and_nothing_else() -> None:
    """What it must not lose first goes last: the cluster that no route leads to any more."""
    cache = Cache()
    cache.publish([resource(CDS, "a"), resource(CDS, "b"), resource(RDS, "egress", "all"), resource(RDS, "other")])
    cache.publish([resource(RDS, "egress", "only a", "small")])
    small = Group("small", ("small", ""), lambda type_, name: type_ is not CDS or name == "a")
    client = Client(Session(ALL, DeltaExchange), cache)
    client.ask(DeltaRequest(CDS))
    client.ask(DeltaRequest(RDS, ("egress", "other")))
    client.ask(DeltaRequest(CDS, nonce="1"))
    client.ask(DeltaRequest(RDS, nonce="2"))
    client.session.regroup(small)
    assert contents(client.look()) == [("rds", ["egress"], [])]
    assert contents(client.ask(DeltaRequest(RDS, nonce="3"))) == [("cds", [], ["b"])]
    client.ask(DeltaRequest(CDS, nonce="4"))
    client.session.regroup(ALL)
    assert contents(client.look()) == [("cds", ["b"], [])]
    assert contents(client.ask(DeltaRequest(CDS, nonce="5"))) == [("rds", ["egress"], [])]


def test_a_stream_of_full_states_that_sees_another_group_gets_that_groups_state() -> None:
    cache = Cache()
    cache.publish([resource(CDS, "a"), resource(CDS, "b")])
    client = Client(Session(ALL, StateExchange), cache)
    client.ask(StateRequest(CDS))
    client.ask(StateRequest(CDS, nonce="1"))
    client.session.regroup(Group("small", admits=lambda _type, name: name == "a"))
    assert contents(client.look(10.0)) == [("cds", ["a"], ["b"])]
    client.ask(StateRequest(CDS, nonce="2"))
    client.session.regroup(Group("small"))
    assert client.look() == [], "an id is a group: the same id is no other group"
