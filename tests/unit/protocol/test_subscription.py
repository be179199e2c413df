"""The three states of asking: nothing, everything, names; and everything beside names."""

from __future__ import annotations

from xds.protocol.subscription import NOTHING, Change, Subscription
from xds.wire.types import ResourceType

CDS, EDS = ResourceType.CLUSTER, ResourceType.ENDPOINT


def test_before_the_first_request_nothing_is_asked_for() -> None:
    subscription = Subscription(CDS)
    assert not subscription.asked
    assert not subscription.covers("a")


def test_the_same_list_again_changes_nothing() -> None:
    subscription = Subscription(EDS)
    assert subscription.replace(("a", "b"))
    assert subscription.replace(("a", "b")) is NOTHING
    assert not subscription.replace(("b", "a"))


def test_a_replaced_list_tells_what_came_and_what_went() -> None:
    subscription = Subscription(EDS)
    subscription.replace(("a", "b"))
    assert subscription.replace(("b", "c")) == Change(added=frozenset("c"), dropped=frozenset("a"))


def test_switching_the_star_on_and_off_is_told() -> None:
    subscription = Subscription(EDS)
    assert subscription.replace(("*",)).opened
    assert subscription.named() is None
    change = subscription.replace(("a",))
    assert (change.closed, change.added) == (True, frozenset("a"))


def test_a_delta_request_with_names_only_to_give_up_opens_the_legacy_wildcard() -> None:
    """The first request subscribes to no name; whatever else it says, that is the legacy wildcard."""
    subscription = Subscription(CDS)
    assert subscription.adjust((), ("ghost",)).opened


def test_a_star_subscribed_twice_opens_once() -> None:
    subscription = Subscription(CDS)
    assert subscription.adjust(("*",), ()).opened
    assert not subscription.adjust(("*",), ())
