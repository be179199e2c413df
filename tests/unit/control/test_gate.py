"""The gate trusts only what it knows: contents whose weights are forgotten are not the wanted ones."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import pytest

from xds.cache.resource import Held
from xds.cache.roster import NodeState, Roster
from xds.cache.table import Cache
from xds.cache.typestate import Node
from xds.control import publisher as publishing
from xds.control.gate import GateState, caught_up, gate, unpublished
from xds.control.groups import group_of
from xds.control.publisher import Publisher
from xds.model.instance import Instance
from xds.model.intent import Intent, ref
from xds.model.names import ServiceKey
from xds.model.node import NodeProfile
from xds.model.service import Service
from xds.model.split import Split
from xds.translate.build import Builder
from xds.wire.types import ResourceType

WEB = ServiceKey.of("web")
SIDECAR = NodeProfile.from_metadata({"fairlead": {"role": "sidecar"}})


@dataclass
class Left:
    """What a stream has still to do."""

    owed: Collection[str] = ()
    parked: Collection[str] = ()
    held_back: Collection[str] = ()


class Desk:
    """A publisher, and one node that is sent what the test says."""

    def __init__(self) -> None:
        self.intent, self.cache, self.roster = Intent(), Cache(), Roster()
        self.publisher = Publisher(Builder(), self.cache)
        instances = [Instance(f"web-{v}", WEB, "127.0.0.1", {"http": 8080}, version=v) for v in ("v1", "v2")]
        self.intent.commit({ref(instance): instance for instance in instances}, 1)
        self.roster.opened(1, Node("one"), group_of(SIDECAR, None), 0.0)
        self.roster.subscribed(1, ResourceType.ROUTE, ["egress"])

    def publish(self, canary: int) -> Held:
        """Publish a share of v2, in 10,000ths; return the route configuration's version."""
        weights = {"v1": 10_000 - canary, "v2": canary}
        service = Service(WEB, stable="v1", split=Split.whole("v1").shift(weights))
        self.intent.commit({ref(service): service}, self.intent.revision + 1)
        self.publisher.publish(
            self.intent, self.intent.take_dirty(), frozenset({SIDECAR}), self.roster.nodes(), now=0.0
        )
        return self.publisher.seen(ResourceType.ROUTE, group_of(SIDECAR, None))["egress"].held

    def send(self, held: Held) -> None:
        self.roster.sent(1, ResourceType.ROUTE, {"egress": held}, (), 0.0)

    def ack(self) -> None:
        self.roster.acked(1, ResourceType.ROUTE, 0.0)

    def has_caught_up(self) -> bool:
        return caught_up(self.publisher, list(self.roster.nodes()), now=0.0)

    def hold_back(self, *needs: str) -> None:
        """Let the route need these clusters, and be kept from the node for want of them."""
        route = self.publisher.seen(ResourceType.ROUTE, group_of(SIDECAR, None))["egress"]
        self.cache.publish([replace(route, needs=needs)])
        self.roster.works(1, ResourceType.ROUTE, Left(held_back=("egress",)))

    def part(self, waited: float = 0.0) -> tuple[GateState, str]:
        found = gate(WEB, self.publisher, list(self.roster.nodes()), waited=waited, now=0.0)
        return found.nodes[0].state, found.nodes[0].message

    def state(self) -> GateState:
        nodes: list[NodeState] = list(self.roster.nodes())
        return gate(WEB, self.publisher, nodes, waited=0.0, now=0.0).state


def test_what_is_acknowledged_does_not_count_while_something_forgotten_is_on_its_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publishing, "HISTORY", 2)
    desk = Desk()
    desk.send(desk.publish(100))
    desk.ack()
    assert desk.state() is GateState.DONE
    desk.send(desk.publish(200))
    desk.publish(300)
    latest = desk.publish(100)
    assert desk.state() is GateState.WAITING
    desk.ack()
    desk.send(latest)
    desk.ack()
    assert desk.state() is GateState.DONE


def test_a_refusal_blocks_until_good_content_is_acknowledged() -> None:
    desk = Desk()
    desk.send(desk.publish(100))
    desk.roster.nacked(1, ResourceType.ROUTE, "no such cluster", 0.0)
    assert desk.state() is GateState.BLOCKED
    desk.send(desk.publish(200))
    desk.ack()
    assert desk.state() is GateState.DONE


def test_the_refusal_of_another_resource_does_not_block() -> None:
    desk = Desk()
    latest = desk.publish(100)
    desk.roster.subscribed(1, ResourceType.ROUTE, ["egress", "gateway/edge"])
    desk.roster.sent(1, ResourceType.ROUTE, {"gateway/edge": Held("bad", 1)}, (), 0.0)
    desk.roster.nacked(1, ResourceType.ROUTE, "no such cluster", 0.0)
    desk.send(latest)
    assert desk.state() is GateState.WAITING


def test_a_node_has_caught_up_when_it_acknowledged_what_stands_and_nothing_else_is_on_its_way() -> None:
    desk = Desk()
    first = desk.publish(100)
    assert not desk.has_caught_up()
    desk.send(first)
    assert not desk.has_caught_up()
    desk.ack()
    assert desk.has_caught_up()
    desk.send(desk.publish(200))
    assert desk.publish(100).version == first.version
    assert not desk.has_caught_up()


def test_versions_that_a_node_never_saw_are_not_asked_for() -> None:
    desk = Desk()
    for canary in (100, 200, 300):
        latest = desk.publish(canary)
    assert desk.state() is GateState.WAITING
    desk.send(latest)
    desk.ack()
    assert desk.state() is GateState.DONE


def test_a_node_that_refused_a_cluster_of_its_route_is_blocked_with_the_cluster_and_its_words() -> None:
    desk = Desk()
    desk.send(desk.publish(0))
    desk.ack()
    desk.publish(500)
    desk.hold_back("web/v1", "web/v2")
    desk.roster.subscribed(1, ResourceType.CLUSTER, None)
    desk.roster.sent(1, ResourceType.CLUSTER, {"web/v2": Held("1", 1)}, (), 0.0)
    desk.roster.nacked(1, ResourceType.CLUSTER, "no such port", 0.0)
    words = "held back: egress needs cluster web/v2, which it refused: no such port"
    assert desk.part() == (GateState.BLOCKED, words)


def test_a_node_that_has_not_got_a_cluster_of_its_route_yet_waits_for_it_by_name() -> None:
    desk = Desk()
    desk.send(desk.publish(0))
    desk.ack()
    desk.publish(500)
    desk.hold_back("web/v1", "web/v2")
    desk.roster.subscribed(1, ResourceType.CLUSTER, None)
    desk.roster.sent(1, ResourceType.CLUSTER, {"web/v1": Held("1", 1)}, (), 0.0)
    desk.roster.acked(1, ResourceType.CLUSTER, 0.0)
    words = "held back: egress waits for cluster web/v2"
    assert desk.part() == (GateState.WAITING, words)
    assert desk.part(waited=60.0) == (GateState.BLOCKED, words)


def test_nobody_is_done_with_a_change_that_is_not_published_yet() -> None:
    desk = Desk()
    desk.send(desk.publish(0))
    desk.ack()
    (part,) = unpublished(gate(WEB, desk.publisher, list(desk.roster.nodes()), waited=0.0, now=0.0).nodes)
    assert (part.state, part.message) == (GateState.WAITING, "a change is not published yet")
