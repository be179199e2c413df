"""The rules of the xDS protocol, state of the world, one test per rule (numbers as in docs/protocol-rules.md)."""

from __future__ import annotations

import pytest
from envoy_data_plane.envoy.service.discovery.v3 import DiscoveryResponse

from tests.unit.protocol.client import CDS, ECDS, EDS, LDS, RDS, contents, sotw
from xds.cache import Resource
from xds.protocol import Answer, StateRequest
from xds.wire.types import ResourceType

FULL, PARTIAL = [CDS, LDS], [EDS, RDS, ECDS]


def ask(type_: ResourceType, *names: str, nonce: str = "", version: str = "", error: str | None = None) -> StateRequest:
    return StateRequest(type_, names, version, nonce, error)


@pytest.mark.parametrize("type_", [*FULL, *PARTIAL])
def test_rule_01_a_nack_is_the_presence_of_an_error_not_a_version(type_: ResourceType) -> None:
    client = sotw()
    client.publish(type_, a="1")
    (response,) = client.ask(ask(type_, "a"))
    assert client.send(ask(type_, "a", nonce=response.nonce, version=response.version, error="")).answer is Answer.NACK
    assert client.look() == []


@pytest.mark.parametrize("type_", [*FULL, *PARTIAL])
def test_rule_02_what_was_refused_is_not_sent_again_until_it_changes(type_: ResourceType) -> None:
    client = sotw()
    client.publish(type_, a="bad")
    (response,) = client.ask(ask(type_, "a"))
    assert client.ask(ask(type_, "a", nonce=response.nonce, error="no")) == []
    assert client.ask(ask(type_, "a", nonce=response.nonce, error="no")) == []
    assert client.look(3600) == []
    assert [list(r.sent) for r in client.publish(type_, a="good")] == [["a"]]


def test_rule_03_a_nack_that_asks_for_more_gets_what_is_new() -> None:
    client = sotw()
    client.publish(EDS, a="bad", b="1")
    client.ask(ask(EDS, "a"))
    event = client.send(ask(EDS, "a", "b", nonce="1", error="no"))
    assert (event.answer, event.subscribed, event.message) == (Answer.NACK, True, "no")
    assert contents(client.look()) == [("eds", ["b"], [])]


@pytest.mark.parametrize("type_", [*FULL, *PARTIAL])
def test_rule_04_an_ack_that_asks_for_more_is_answered(type_: ResourceType) -> None:
    client = sotw()
    client.publish(type_, a="1", b="1")
    client.ask(ask(type_, "a"))
    (response,) = client.ask(ask(type_, "a", "b", nonce="1"))
    assert "b" in response.sent


def test_rule_05_the_version_depends_on_content_only_and_the_nonce_on_the_stream() -> None:
    one, two = sotw(), sotw()
    for client in (one, two):
        client.publish(EDS, noise="1")
        client.publish(EDS, a="1", b="1")
    one.publish(EDS, a="2")
    one.publish(EDS, a="1")
    (first,), (second,) = (client.ask(ask(EDS, "a", "b")) for client in (one, two))
    assert (first.version, first.nonce) == (second.version, second.nonce)
    assert sotw(one.cache).ask(ask(EDS, "a", "b", nonce="99"))[0].version == first.version


def test_rule_07_a_stale_nonce_gets_no_response_and_changes_nothing() -> None:
    client = sotw()
    client.publish(RDS, a="1", b="1")
    client.ask(ask(RDS, "a"))
    client.ask(ask(RDS, "a", nonce="1"))
    client.publish(RDS, a="2")
    event = client.send(ask(RDS, "a", "b", nonce="1"))
    assert (event.answer, event.subscribed, client.look()) == (Answer.STALE, False, [])
    assert client.session.names(RDS) == frozenset({"a"})


def test_rule_08_an_empty_nonce_mid_stream_begins_anew() -> None:
    client = sotw()
    client.publish(RDS, a="1")
    client.ask(ask(RDS, "a"))
    client.ask(ask(RDS, nonce="1"))
    assert contents(client.ask(ask(RDS, "a"))) == [("rds", ["a"], [])]


@pytest.mark.parametrize("type_", [*FULL, *PARTIAL])
def test_rule_11_a_plain_ack_gets_no_response(type_: ResourceType) -> None:
    client = sotw()
    client.publish(type_, a="1")
    (response,) = client.ask(ask(type_, "a"))
    assert client.send(ask(type_, "a", nonce=response.nonce)).answer is Answer.ACK
    assert client.look() == []


def test_rule_12_only_the_newest_request_is_answered() -> None:
    client = sotw()
    client.publish(EDS, a="1", b="1")
    client.send(ask(EDS, "a"))
    client.send(ask(EDS, "b"))
    assert contents(client.look()) == [("eds", ["b"], [])]


@pytest.mark.parametrize("type_", FULL)
def test_rule_13_empty_is_everything_only_before_any_name_was_sent(type_: ResourceType) -> None:
    client = sotw()
    client.publish(type_, a="1", b="1")
    client.ask(ask(type_))
    assert client.session.names(type_) is None
    client.ask(ask(type_, nonce="1"))
    client.ask(ask(type_, "a", nonce="1"))
    client.ask(ask(type_, nonce="2"))
    assert client.session.names(type_) == frozenset()
    assert client.publish(type_, a="2") == []


@pytest.mark.parametrize("type_", PARTIAL)
def test_rule_13_other_types_have_no_legacy_wildcard(type_: ResourceType) -> None:
    client = sotw()
    client.publish(type_, a="1")
    assert client.ask(ask(type_)) == []


def test_rule_14_the_star_stays_when_a_name_beside_it_goes() -> None:
    client = sotw()
    client.publish(CDS, a="1", b="1")
    client.ask(ask(CDS, "*", "a"))
    client.ask(ask(CDS, "*", nonce="1"))
    assert client.session.names(CDS) is None


def test_rule_15_a_name_given_up_under_the_star_is_answered() -> None:
    client = sotw()
    client.publish(EDS, a="1")
    client.ask(ask(EDS, "*", "a"))
    client.ask(ask(EDS, "*", "a", nonce="1"))
    assert contents(client.ask(ask(EDS, "*", nonce="1"))) == [("eds", ["a"], [])]


@pytest.mark.parametrize("type_", [*FULL, *PARTIAL])
def test_rule_16_a_name_that_comes_back_is_sent_although_unchanged(type_: ResourceType) -> None:
    client = sotw()
    client.publish(type_, a="1", b="1")
    client.ask(ask(type_, "a", "b"))
    client.ask(ask(type_, "b", nonce="1"))
    (response,) = client.ask(ask(type_, "a", "b", nonce="1"))
    assert "a" in response.sent


def test_rule_17_giving_up_a_name_needs_no_response() -> None:
    client = sotw()
    client.publish(CDS, a="1", b="1")
    client.ask(ask(CDS, "a", "b"))
    assert client.ask(ask(CDS, "a", nonce="1")) == []


@pytest.mark.parametrize("type_", PARTIAL)
def test_rule_18_an_unknown_name_is_met_with_silence_and_sent_when_it_comes(type_: ResourceType) -> None:
    client = sotw()
    client.publish(type_, other="1")
    assert client.ask(ask(type_, "ghost")) == []
    assert contents(client.publish(type_, ghost="1")) == [(type_.short, ["ghost"], [])]


def test_rule_21_an_emptied_full_state_is_an_empty_response() -> None:
    client = sotw()
    client.publish(LDS, a="1")
    client.ask(ask(LDS))
    client.ask(ask(LDS, nonce="1"))
    assert contents(client.publish(LDS, ("a",))) == [("lds", [], ["a"])]


def test_rule_21_other_types_cannot_lose_anything_and_are_new_when_they_come_back() -> None:
    client = sotw()
    client.publish(EDS, a="1")
    client.ask(ask(EDS, "a"))
    client.ask(ask(EDS, "a", nonce="1"))
    assert client.publish(EDS, ("a",)) == []
    assert contents(client.publish(EDS, a="1")) == [("eds", ["a"], [])]


def test_rule_22_full_states_are_whole_others_carry_what_changed() -> None:
    client = sotw()
    for type_ in (CDS, EDS):
        client.publish(type_, a="1", b="1")
    client.ask(ask(CDS))
    client.ask(ask(CDS, nonce="1"))
    client.ask(ask(EDS, "a", "b"))
    client.ask(ask(EDS, "a", "b", nonce="2"))
    client.publish(CDS, c="1")
    assert contents(client.last.responses) == [("cds", ["a", "b", "c"], [])]
    assert contents(client.publish(EDS, b="2")) == [("eds", ["b"], [])]


def test_rule_23_no_name_is_twice_in_a_response_however_often_it_is_asked_for() -> None:
    client = sotw()
    client.publish(EDS, a="1")
    (response,) = client.ask(ask(EDS, "a", "a", "*"))
    assert len(DiscoveryResponse.parse(response.encode()).resources) == 1


@pytest.mark.parametrize("names", [(), ("a", "b")])
def test_rule_25_a_reconnect_with_the_same_full_state_gets_nothing_and_proves_what_it_holds(
    names: tuple[str, ...],
) -> None:
    client = sotw()
    client.publish(CDS, a="1", b="1")
    (response,) = client.ask(ask(CDS, *names))
    again = sotw(client.cache)
    assert again.ask(ask(CDS, *names, version=response.version)) == []
    assert again.last.held == {CDS: dict(response.sent)}
    assert contents(again.publish(CDS, a="2")) == [("cds", ["a", "b"], [])]


def test_rule_25_another_subscription_is_answered_even_if_the_content_is_the_same() -> None:
    client = sotw()
    client.publish(CDS, a="1")
    (response,) = client.ask(ask(CDS, "a"))
    for names in ((), ("a", "ghost")):
        assert len(sotw(client.cache).ask(ask(CDS, *names, version=response.version))) == 1


@pytest.mark.parametrize("type_", PARTIAL)
def test_rule_28_a_reconnect_is_always_answered_where_the_client_may_be_warming(type_: ResourceType) -> None:
    client = sotw()
    client.publish(type_, a="1")
    (response,) = client.ask(ask(type_, "a"))
    assert len(sotw(client.cache).ask(ask(type_, "a", version=response.version))) == 1


def test_rule_29_what_exists_is_not_held_back_for_what_does_not() -> None:
    client = sotw()
    client.publish(RDS, a="1")
    assert contents(client.ask(ask(RDS, "a", "ghost"))) == [("rds", ["a"], [])]


def test_the_bytes_are_a_discovery_response() -> None:
    client = sotw()
    client.publish(EDS, a="\x0a\x01a")
    (response,) = client.ask(ask(EDS, "a"))
    parsed = DiscoveryResponse.parse(response.encode())
    assert (parsed.version_info, parsed.nonce, parsed.type_url) == (response.version, "1", EDS.url)
    assert [(any_.type_url, any_.value) for any_ in parsed.resources] == [(EDS.url, b"\x0a\x01a")]


def test_equal_subscriptions_share_one_body() -> None:
    client = sotw()
    client.publish(CDS, a="1", b="1")
    other = sotw(client.cache)
    assert client.ask(ask(CDS))[0].body is other.ask(ask(CDS))[0].body


def test_a_full_state_that_is_taken_clears_the_innocent_of_the_one_before() -> None:
    """A cluster refused in bad company is there once the next state is taken: routes to it are not held back."""
    client = sotw()
    client.publish(CDS, innocent="1", culprit="bad")
    client.ask(ask(CDS))
    client.ask(ask(CDS, nonce="1", error="no"))
    client.cache.publish([Resource.of(RDS, "r", b"1")])
    client.ask(ask(RDS, "r"))
    client.ask(ask(RDS, "r", nonce="2"))
    client.publish(CDS, culprit="good")
    client.ask(ask(CDS, nonce="3"))
    client.cache.publish([Resource.of(RDS, "r", b"2", needs=("innocent",))])
    assert contents(client.look()) == [("rds", ["r"], [])]
