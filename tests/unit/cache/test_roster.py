"""What is known of each node: live or not, what it was sent, what it confirmed, how it refused."""

from __future__ import annotations

from xds.cache import Group, Held, Node, NodeState, Roster, TypeState
from xds.cache.roster import Acked, Closed, Nacked, NodeEvent, Opened, Proved, Subscribed
from xds.wire.types import ResourceType

CDS, RDS = ResourceType.CLUSTER, ResourceType.ROUTE
NODE, GROUP = Node("sidecar-1", peer="ipv4:127.0.0.1:9"), Group("g")
V1, V2 = Held("v1", 1), Held("v2", 2)


def connected(stream: int = 1, roster: Roster | None = None) -> Roster:
    roster = roster or Roster()
    roster.opened(stream, NODE, GROUP, 0.0)
    return roster


def state(roster: Roster) -> NodeState:
    found = roster.node("sidecar-1")
    assert found is not None
    return found


def of(roster: Roster, type_: ResourceType = RDS) -> TypeState:
    return state(roster).types[type_]


def test_a_content_counts_as_acked_only_after_the_ack() -> None:
    roster = connected()
    roster.subscribed(1, RDS, ["egress"])
    roster.sent(1, RDS, {"egress": V1}, (), 5.0)
    assert (of(roster).sent, of(roster).acked, of(roster).pending) == ({"egress": V1}, {}, 5.0)
    roster.acked(1, RDS, 6.0)
    assert (of(roster).sent, of(roster).acked, of(roster).pending) == ({"egress": V1}, {"egress": V1}, None)


def test_a_nack_keeps_what_was_acked_before_and_the_words() -> None:
    roster = connected()
    roster.subscribed(1, RDS, ["egress"])
    roster.sent(1, RDS, {"egress": V1}, (), 1.0)
    roster.acked(1, RDS, 2.0)
    roster.sent(1, RDS, {"egress": V2}, (), 3.0)
    roster.nacked(1, RDS, "no such cluster", 4.0)
    seen = of(roster)
    assert (seen.acked, seen.sent, seen.pending) == ({"egress": V1}, {"egress": V2}, None)
    assert seen.nack is not None
    assert (seen.nack.at, seen.nack.message, seen.nack.versions) == (4.0, "no such cluster", {"egress": V2})


def test_a_nack_is_settled_by_an_ack_of_the_same_names_only() -> None:
    roster = connected()
    roster.subscribed(1, CDS, None)
    roster.sent(1, CDS, {"a": V1}, (), 1.0)
    roster.nacked(1, CDS, "bad", 2.0)
    roster.sent(1, CDS, {"b": V1}, (), 3.0)
    roster.acked(1, CDS, 4.0)
    assert of(roster, CDS).nack is not None
    roster.sent(1, CDS, {"a": V2}, (), 5.0)
    roster.acked(1, CDS, 6.0)
    assert of(roster, CDS).nack is None
    assert of(roster, CDS).acked == {"a": V2, "b": V1}


def test_a_removal_counts_when_it_is_acked() -> None:
    roster = connected()
    roster.subscribed(1, CDS, None)
    roster.sent(1, CDS, {"a": V1, "b": V1}, (), 1.0)
    roster.acked(1, CDS, 2.0)
    roster.sent(1, CDS, {}, ["a"], 3.0)
    assert (of(roster, CDS).sent, of(roster, CDS).acked) == ({"b": V1}, {"a": V1, "b": V1})
    roster.acked(1, CDS, 4.0)
    assert of(roster, CDS).acked == {"b": V1}


def test_names_given_up_are_not_held_any_more_even_if_their_ack_is_under_way() -> None:
    roster = connected()
    roster.subscribed(1, RDS, ["a", "b"])
    roster.sent(1, RDS, {"a": V1, "b": V1}, (), 1.0)
    roster.subscribed(1, RDS, ["b"])
    roster.acked(1, RDS, 2.0)
    assert of(roster).acked == {"b": V1}


def test_what_a_reconnected_node_proves_to_hold_counts_as_acked() -> None:
    roster = connected()
    roster.subscribed(1, CDS, None)
    roster.held(1, CDS, {"a": V1}, 1.0)
    assert of(roster, CDS).acked == of(roster, CDS).sent == {"a": V1}


def test_a_node_is_live_for_a_minute_after_its_stream_closed() -> None:
    roster = connected()
    assert state(roster).is_live(1e6)
    roster.closed(1, 100.0)
    assert not state(roster).connected
    assert state(roster).is_live(159.9)
    assert not state(roster).is_live(160.0)


def test_p3_the_newest_stream_is_current_and_closing_the_old_one_removes_nothing() -> None:
    roster = connected(1)
    connected(2, roster)
    roster.closed(1, 10.0)
    assert (state(roster).stream, state(roster).connected) == (2, True)


def test_p3_an_older_stream_is_current_again_when_the_newest_ends() -> None:
    roster = connected(1)
    connected(2, roster)
    connected(3, roster)
    roster.closed(2, 10.0)
    roster.closed(3, 11.0)
    assert (state(roster).stream, state(roster).connected) == (1, True)
    roster.closed(1, 12.0)
    assert not state(roster).connected


def test_p3_what_an_older_stream_says_is_not_told_as_the_nodes_word() -> None:
    roster, seen = Roster(), list[NodeEvent]()
    connected(1, roster)
    roster.subscribed(1, RDS, ["a"])
    roster.sent(1, RDS, {"a": V1}, (), 1.0)
    connected(2, roster)
    roster.subscribed(2, RDS, ["a"])
    roster.listen(seen.append)
    roster.acked(1, RDS, 2.0)
    assert seen == []
    assert of(roster).acked == {}


def test_a_node_with_a_stream_for_each_type_is_one_node() -> None:
    roster = connected(2, connected(1))
    roster.subscribed(1, CDS, None)
    roster.subscribed(2, RDS, ["egress"])
    for stream, type_, contents in ((1, CDS, {"web": V1}), (2, RDS, {"egress": V2})):
        roster.sent(stream, type_, contents, (), 1.0)
        roster.acked(stream, type_, 2.0)
    assert (of(roster, CDS).acked, of(roster, RDS).acked) == ({"web": V1}, {"egress": V2})
    roster.closed(2, 3.0)
    assert (state(roster).connected, of(roster, RDS).acked) == (True, {"egress": V2})
    roster.closed(1, 4.0)
    assert state(roster).closed_at == 4.0


def test_the_tally_counts_what_was_sent_and_how_long_the_answer_took() -> None:
    roster = connected()
    roster.sent(1, RDS, {"a": V1}, (), 1.0, 300)
    roster.nacked(1, RDS, "no", 1.5)
    roster.sent(1, RDS, {"a": V2}, (), 2.0, 200)
    assert roster.acked(1, RDS, 2.25) == 0.25
    tally = of(roster).tally
    assert (tally.pushes, tally.bytes, tally.nacks, tally.answered_in) == (2, 500, 1, 0.25)


def test_after_a_reconnect_the_old_knowledge_stands_until_the_type_is_asked_for() -> None:
    """A node between two streams must not look as if it held nothing: a gate would pass without it."""
    roster = connected(1)
    roster.subscribed(1, RDS, ["egress"])
    roster.sent(1, RDS, {"egress": V1}, (), 1.0)
    roster.acked(1, RDS, 2.0)
    roster.closed(1, 3.0)
    connected(2, roster)
    assert of(roster).acked == {"egress": V1}
    roster.subscribed(2, RDS, ["egress"])
    assert of(roster).acked == {}


def test_a_listener_hears_every_event_in_order() -> None:
    roster, seen = Roster(), list[NodeEvent]()
    roster.listen(seen.append)
    connected(1, roster)
    roster.subscribed(1, RDS, ["a"])
    roster.held(1, RDS, {"a": V1}, 1.0)
    roster.sent(1, RDS, {"a": V2}, (), 1.0)
    roster.acked(1, RDS, 2.0)
    roster.sent(1, RDS, {"a": V1}, (), 3.0)
    roster.nacked(1, RDS, "no", 4.0)
    roster.closed(1, 5.0)
    id_ = NODE.id
    assert seen == [
        Opened(id_),
        Subscribed(id_, RDS),
        Proved(id_, RDS),
        Acked(id_, RDS),
        Nacked(id_, RDS, "no"),
        Closed(id_),
    ]


def test_a_node_gone_for_a_day_is_forgotten_when_another_one_comes() -> None:
    roster = connected(1)
    roster.closed(1, 10.0)
    roster.opened(2, Node("other"), GROUP, 90_000.0)
    assert [node.node.id for node in roster.nodes()] == ["other"]
