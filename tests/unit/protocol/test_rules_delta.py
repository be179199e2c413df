"""The rules of the xDS protocol, delta, one test per rule (numbers as in docs/protocol-rules.md)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from envoy_data_plane.envoy.service.discovery.v3 import DeltaDiscoveryResponse

from tests.unit.protocol.client import CDS, ECDS, EDS, LDS, RDS, Client, contents, delta, resource
from xds.cache import Resource
from xds.protocol import Answer, DeltaRequest, Outgoing
from xds.protocol.heartbeats import TTL
from xds.wire.types import ResourceType

TYPES = [CDS, LDS, EDS, RDS, ECDS]


def ask(
    type_: ResourceType,
    *names: str,
    drop: tuple[str, ...] = (),
    initial: Mapping[str, str] | None = None,
    nonce: str = "",
    error: str | None = None,
) -> DeltaRequest:
    return DeltaRequest(type_, names, drop, initial or {}, nonce, error)


@pytest.mark.parametrize("type_", TYPES)
def test_rule_02_what_was_refused_is_not_sent_again_until_it_changes(type_: ResourceType) -> None:
    client = delta()
    client.publish(type_, a="bad")
    client.ask(ask(type_, "a"))
    assert client.send(ask(type_, nonce="1", error="no")).answer is Answer.NACK
    assert client.look(3600) == []
    assert contents(client.publish(type_, a="good")) == [(type_.short, ["a"], [])]


def test_rule_02_another_resource_is_not_held_up_by_a_refused_one() -> None:
    client = delta()
    client.publish(CDS, bad="1", good="1")
    client.ask(ask(CDS))
    client.ask(ask(CDS, nonce="1", error="bad"))
    assert contents(client.publish(CDS, other="1")) == [("cds", ["other"], [])]


def test_rule_02_what_was_refused_together_is_tried_again_once_its_culprit_was_accepted() -> None:
    client = delta()
    client.publish(CDS, bad="1", good="1")
    client.ask(ask(CDS))
    client.ask(ask(CDS, nonce="1", error="bad"))
    client.publish(CDS, bad="2")
    assert contents(client.ask(ask(CDS, nonce="2"))) == [("cds", ["good"], [])]
    assert client.ask(ask(CDS, nonce="3")) == []


def test_rule_03_a_nack_that_asks_for_more_gets_what_is_new() -> None:
    client = delta()
    client.publish(EDS, a="bad", b="1")
    client.ask(ask(EDS, "a"))
    assert contents(client.ask(ask(EDS, "b", nonce="1", error="no"))) == [("eds", ["b"], [])]


def test_rule_04_an_ack_that_asks_for_more_is_answered() -> None:
    client = delta()
    client.publish(EDS, a="1", b="1")
    client.ask(ask(EDS, "a"))
    event = client.send(ask(EDS, "b", nonce="1"))
    assert (event.answer, event.subscribed) == (Answer.ACK, True)
    assert contents(client.look()) == [("eds", ["b"], [])]


def test_rule_07_a_stale_nonce_is_no_answer_but_still_subscribes() -> None:
    client = delta()
    client.publish(EDS, a="1", b="1")
    client.ask(ask(EDS, "a"))
    event = client.send(ask(EDS, "b", nonce="old"))
    assert (event.answer, event.subscribed) == (Answer.STALE, True)
    assert client.look() == []  # the first response is unanswered still
    assert contents(client.ask(ask(EDS, nonce="1"))) == [("eds", ["b"], [])]


def test_rule_09_every_response_has_a_nonce_of_its_own() -> None:
    client = delta()
    for type_ in (CDS, EDS):
        client.publish(type_, a="1")
    nonces = [client.ask(ask(type_, "a"))[0].nonce for type_ in (CDS, EDS)]
    assert len({*nonces, ""}) == 3


@pytest.mark.parametrize("type_", TYPES)
def test_rule_11_a_plain_ack_gets_no_response(type_: ResourceType) -> None:
    client = delta()
    client.publish(type_, a="1")
    client.ask(ask(type_, "a"))
    assert client.ask(ask(type_, nonce="1")) == []


def test_rule_12_one_response_at_a_time_and_the_next_one_is_the_latest() -> None:
    client = delta()
    client.publish(EDS, a="1")
    client.ask(ask(EDS, "a"))
    assert client.publish(EDS, a="2") == client.publish(EDS, a="3") == []
    (response,) = client.ask(ask(EDS, nonce="1"))
    assert response.sent["a"].version == resource(EDS, "a", "3").version


@pytest.mark.parametrize("type_", [CDS, LDS])
def test_rule_13_an_empty_first_request_is_everything(type_: ResourceType) -> None:
    client = delta()
    client.publish(type_, a="1")
    assert contents(client.ask(ask(type_))) == [(type_.short, ["a"], [])]


@pytest.mark.parametrize("type_", [EDS, RDS, ECDS])
def test_rule_13_but_only_for_clusters_and_listeners(type_: ResourceType) -> None:
    client = delta()
    client.publish(type_, a="1")
    assert client.ask(ask(type_)) == []


def test_rule_14_the_legacy_wildcard_stays_beside_names_until_the_star_is_given_up() -> None:
    client = delta()
    client.publish(CDS, a="1", b="1")
    client.ask(ask(CDS))
    client.ask(ask(CDS, "a", nonce="1"))
    client.ask(ask(CDS, nonce="2"))
    assert client.session.names(CDS) is None
    client.ask(ask(CDS, drop=("*",)))
    assert client.session.names(CDS) == frozenset({"a"})
    assert client.publish(CDS, b="2") == []


@pytest.mark.parametrize(("present", "expected"), [(True, (["a"], [])), (False, ([], ["a"]))])
def test_rule_15_a_name_given_up_under_the_star_is_answered_with_what_it_is_now(
    present: bool,
    expected: tuple[list[str], list[str]],
) -> None:
    client = delta()
    client.publish(CDS, other="1")
    if present:
        client.publish(CDS, a="1")
    client.ask(ask(CDS, "*", "a"))
    client.ask(ask(CDS, nonce="1"))
    assert contents(client.ask(ask(CDS, drop=("a",)))) == [("cds", *expected)]


def test_rule_16_a_name_asked_for_again_is_sent_again() -> None:
    client = delta()
    client.publish(EDS, a="1")
    client.ask(ask(EDS, "a"))
    client.ask(ask(EDS, nonce="1"))
    assert contents(client.ask(ask(EDS, "a"))) == [("eds", ["a"], [])]


def test_rule_17_giving_up_needs_no_response_and_an_unknown_name_is_ignored() -> None:
    client = delta()
    client.publish(EDS, a="1")
    client.ask(ask(EDS, "a"))
    client.ask(ask(EDS, nonce="1"))
    assert client.ask(ask(EDS, drop=("a", "ghost"))) == []
    assert client.publish(EDS, a="2") == []


def test_rule_17_a_name_in_both_lists_stays_and_is_answered() -> None:
    client = delta()
    client.publish(EDS, a="1")
    assert contents(client.ask(ask(EDS, "a", drop=("a",)))) == [("eds", ["a"], [])]
    assert client.session.names(EDS) == frozenset({"a"})


@pytest.mark.parametrize("type_", TYPES)
def test_rule_18_an_unknown_name_is_answered_as_removed_and_sent_when_it_comes(type_: ResourceType) -> None:
    client = delta()
    client.publish(type_, other="1")
    assert contents(client.ask(ask(type_, "ghost"))) == [(type_.short, [], ["ghost"])]
    assert client.ask(ask(type_, nonce="1")) == []
    assert contents(client.publish(type_, ghost="1")) == [(type_.short, ["ghost"], [])]


def test_rule_20_the_first_wildcard_response_goes_out_even_if_empty() -> None:
    client = delta()
    client.cache.publish()
    assert contents(client.ask(ask(CDS))) == [("cds", [], [])]


@pytest.mark.parametrize("type_", TYPES)
def test_rule_26_a_client_that_lists_what_is_current_gets_nothing_and_proves_to_hold_it(type_: ResourceType) -> None:
    client = delta()
    client.publish(type_, a="1")
    (response,) = client.ask(ask(type_, "*"))
    again = delta(client.cache)
    assert again.ask(ask(type_, "*", initial={"a": response.sent["a"].version})) == []
    assert again.last.held == {type_: dict(response.sent)}
    assert len(again.publish(type_, a="2")) == 1


def test_rule_26_what_it_does_not_list_is_sent_what_differs_too() -> None:
    client = delta()
    client.publish(EDS, a="1", b="1")
    assert contents(client.ask(ask(EDS, "a", "b", initial={"a": "older"}))) == [("eds", ["a", "b"], [])]


def test_rule_26_what_it_lists_and_is_gone_is_removed_last() -> None:
    client = delta()
    client.publish(EDS, a="1")
    assert client.ask(ask(EDS, "gone", initial={"gone": "v"})) == []
    assert client.session.next_deadline() == 5.0
    assert contents(client.look(5)) == [("eds", [], ["gone"])]


def test_rule_27_the_order_is_clusters_endpoints_then_listeners_and_routes_after_the_ack() -> None:
    client = delta()
    for type_ in TYPES:
        client.publish(type_, a="1")
    for type_ in (RDS, ECDS, LDS, EDS, CDS):
        client.send(ask(type_, "a"))
    assert [r.type for r in client.look()] == [CDS, EDS]
    assert [r.type for r in client.ask(ask(CDS, nonce="1"))] == [LDS, ECDS, RDS]


def test_rule_27_a_gate_that_stays_shut_is_passed_and_reported_once() -> None:
    client = delta()
    client.publish(CDS, a="1")
    client.publish(RDS, a="1", b="1")
    client.ask(ask(CDS))
    client.ask(ask(RDS, "a"))
    assert client.session.next_deadline() == 5.0
    assert contents(client.look(5)) == [("rds", ["a"], [])]
    assert [(late.type, late.since) for late in client.last.overdue] == [(CDS, 0.0)]
    client.ask(ask(RDS, "b", nonce="2"))
    assert client.last.overdue == []
    assert client.session.next_deadline() is None


def test_rule_28_a_changed_cluster_gets_its_endpoints_again_and_no_other_one_does() -> None:
    client = delta()
    for type_ in (CDS, EDS):
        client.publish(type_, a="1", b="1")
    client.ask(ask(CDS))
    client.ask(ask(EDS, "a", "b"))
    client.ask(ask(CDS, nonce="1"))
    client.ask(ask(EDS, nonce="2"))
    assert contents(client.publish(CDS, b="2")) == [("cds", ["b"], []), ("eds", ["b"], [])]


def test_rule_28_a_changed_listener_gets_the_routes_it_names_again() -> None:
    client = delta()
    client.publish(RDS, egress="1")
    client.cache.publish([resource(LDS, "in", "1")])
    client.ask(ask(LDS))
    client.ask(ask(RDS, "egress"))
    client.ask(ask(LDS, nonce="1"))
    client.ask(ask(RDS, nonce="2"))
    changed = type(resource(LDS, "in")).of(LDS, "in", b"2", warms=("egress",))
    client.cache.publish([changed])
    assert contents(client.look()) == [("lds", ["in"], []), ("rds", ["egress"], [])]


def test_the_bytes_are_a_delta_discovery_response() -> None:
    client = delta()
    client.publish(EDS, a="\x0a\x01a")
    (response,) = client.ask(ask(EDS, "a", "ghost"))
    parsed = DeltaDiscoveryResponse.parse(response.encode())
    assert (parsed.nonce, parsed.type_url, parsed.removed_resources) == ("1", EDS.url, ["ghost"])
    assert [(r.name, r.version) for r in parsed.resources] == [("a", response.sent["a"].version)]


def test_equal_changes_share_one_body() -> None:
    client = delta()
    client.publish(EDS, a="1", b="1")
    one, two = delta(client.cache), delta(client.cache)
    assert one.ask(ask(EDS, "a", "b"))[0].body is two.ask(ask(EDS, "b", "a"))[0].body


def test_rule_01_a_nack_without_words_is_a_nack() -> None:
    client = delta()
    client.publish(EDS, a="1")
    client.ask(ask(EDS, "a"))
    assert client.send(ask(EDS, nonce="1", error="")).answer is Answer.NACK


def test_rule_05_on_a_new_stream_the_nonces_of_the_old_one_mean_nothing() -> None:
    client = delta()
    client.publish(EDS, a="1")
    client.ask(ask(EDS, "a"))
    again = delta(client.cache)
    event = again.send(ask(EDS, "a", nonce="1"))
    assert (event.answer, event.subscribed) == (Answer.NONE, True)
    assert contents(again.look()) == [("eds", ["a"], [])]


def test_rule_19_a_new_stream_knows_nothing_of_the_old_one() -> None:
    client = delta()
    client.publish(EDS, a="1")
    client.ask(ask(EDS, "a"))
    client.ask(ask(EDS, nonce="1"))
    assert contents(delta(client.cache).ask(ask(EDS, "a"))) == [("eds", ["a"], [])]


def test_rule_23_no_name_is_twice_in_a_response_however_often_it_is_asked_for() -> None:
    client = delta()
    client.publish(EDS, a="1")
    (response,) = client.ask(ask(EDS, "a", "a", "*"))
    assert [r.name for r in DeltaDiscoveryResponse.parse(response.encode()).resources] == ["a"]


def test_rule_29_what_exists_is_not_held_back_for_what_does_not() -> None:
    client = delta()
    client.publish(RDS, a="1")
    assert contents(client.ask(ask(RDS, "a", "ghost"))) == [("rds", ["a"], ["ghost"])]


def test_a_refused_name_that_the_client_gives_up_no_longer_holds_up_the_others() -> None:
    client = delta()
    client.publish(EDS, bad="1", good="1")
    client.ask(ask(EDS, "bad", "good"))
    client.ask(ask(EDS, nonce="1", error="bad"))
    assert contents(client.ask(ask(EDS, drop=("bad",)))) == [("eds", ["good"], [])]


def living(client: Client[DeltaRequest], name: str, content: str, ttl: float | None = 4.0) -> list[Outgoing]:
    client.cache.publish([Resource.of(EDS, name, content.encode(), ttl=ttl)])
    return client.look()


def read(responses: list[Outgoing]) -> list[tuple[str, bytes | None]]:
    """Name and content of each entry; a heartbeat has none."""
    entries = [entry for out in responses for entry in DeltaDiscoveryResponse.parse(out.encode()).resources]
    return [(entry.name, entry.resource.value if entry.resource else None) for entry in entries]


def test_rule_30_a_client_that_refuses_a_content_keeps_the_one_before_and_that_is_kept_alive() -> None:
    client = delta(features=frozenset({TTL}))
    (first,) = living(client, "a", "1") or client.ask(ask(EDS, "a"))
    client.ask(ask(EDS, nonce="1"))
    living(client, "a", "bad")
    (beat,) = client.ask(ask(EDS, nonce="2", error="a: no"))
    (entry,) = DeltaDiscoveryResponse.parse(beat.encode()).resources
    assert (entry.resource, entry.version) == (None, first.sent["a"].version)


def test_rule_30_who_refuses_a_heartbeat_is_sent_the_content() -> None:
    client = delta(features=frozenset({TTL}))
    living(client, "a", "1")
    client.ask(ask(EDS, "a"))
    client.ask(ask(EDS, nonce="1"))
    assert read(client.look(2)) == [("a", None)]
    assert read(client.ask(ask(EDS, nonce="2", error="nothing lives"))) == [("a", b"1")]


def test_rule_30_what_has_no_time_to_live_any_more_gets_no_heartbeats() -> None:
    client = delta(features=frozenset({TTL}))
    living(client, "a", "1")
    client.ask(ask(EDS, "a"))
    client.ask(ask(EDS, nonce="1"))
    assert read(living(client, "a", "1", ttl=None)) == [("a", b"1")]
    client.ask(ask(EDS, nonce="2"))
    assert client.look(60) == []


def test_rule_24_a_resource_that_lost_the_alias_it_was_asked_by_is_removed_by_its_own_name() -> None:
    client = delta()
    client.cache.publish([Resource.of(RDS, "a", b"1", aliases=("other",))])
    assert read(client.ask(ask(RDS, "other"))) == [("a", b"1")]
    client.ask(ask(RDS, nonce="1"))
    client.cache.publish([Resource.of(RDS, "a", b"1")])
    assert [out.removed for out in client.look()] == [("a",)]


def test_rule_24_an_alias_that_goes_takes_nothing_from_who_asked_for_the_name_as_well() -> None:
    client = delta()
    client.cache.publish([Resource.of(RDS, "a", b"1", aliases=("other",))])
    client.ask(ask(RDS, "a", "other"))
    client.ask(ask(RDS, nonce="1"))
    client.cache.publish([Resource.of(RDS, "a", b"1")])
    (out,) = client.look()
    assert (list(out.sent), out.removed) == (["a"], ("other",))


def test_rule_24_an_alias_that_moves_takes_its_first_owner_along() -> None:
    client = delta()
    client.cache.publish([Resource.of(RDS, "a", b"1", aliases=("other",)), Resource.of(RDS, "b", b"1")])
    client.ask(ask(RDS, "other"))
    client.ask(ask(RDS, nonce="1"))
    client.cache.publish([Resource.of(RDS, "a", b"1"), Resource.of(RDS, "b", b"1", aliases=("other",))])
    (out,) = client.look()
    assert (read([out]), out.removed) == ([("b", b"1")], ("a",))


def test_rule_02_a_refused_name_that_changes_and_changes_back_is_still_the_one_that_was_refused() -> None:
    client = delta()
    client.publish(EDS, bad="1", good="1")
    client.ask(ask(EDS, "bad", "good"))
    client.publish(EDS, good="2")
    client.publish(EDS, good="1", other="1")
    client.ask(ask(EDS, nonce="1", error="bad"))
    assert contents(client.publish(EDS, bad="2")) == [("eds", ["bad"], [])]
    assert contents(client.ask(ask(EDS, nonce="2"))) == [("eds", ["good"], [])]


def test_a_name_that_came_and_went_in_a_long_sleep_is_not_removed() -> None:
    client = delta()
    client.publish(EDS, a="1")
    client.ask(ask(EDS, "*"))
    client.publish(EDS, b="1")  # behind the unanswered response
    client.cache.publish([], [resource(EDS, "b").key])
    for number in range(300):
        client.cache.publish([resource(EDS, "c", str(number))])
    assert contents(client.ask(ask(EDS, nonce="1"))) == [("eds", ["c"], [])]
