"""Nodes as a person reads them: a line per Envoy, a line per type, and nothing that floods the screen."""

from __future__ import annotations

import pytest

from xds.api.convert.node import node_listed, node_out
from xds.cache import Group, Held, Node, Roster
from xds.cli.nodes import LISTED, print_node
from xds.cli.output import print_table
from xds.model.breaker import BreakerState, Reported
from xds.wire.types import ResourceType

CDS, RDS = ResourceType.CLUSTER, ResourceType.ROUTE


class Left:
    """What a stream has still to do."""

    owed = ("egress",)
    parked = ()
    held_back = ("egress",)


@pytest.fixture
def roster() -> Roster:
    """A node that accepted one of two clusters in a response that it refused, and is kept from its routes."""
    made = Roster()
    node = Node("edge-1", version="envoy 1.40.0", metadata={"fairlead": {"role": "gateway", "gateway": "edge"}})
    made.opened(1, node, Group("g"), 0.0)
    made.subscribed(1, CDS, None)
    made.sent(1, CDS, {"a": Held("1", 1)}, (), 0.0, 900)
    made.acked(1, CDS, 0.004)
    made.sent(1, CDS, {"b": Held("1", 1)}, (), 1.0, 100)
    made.nacked(1, CDS, "b: no such port\n", 1.1)
    made.subscribed(1, RDS, [f"egress-{number}" for number in range(8)])
    made.works(1, RDS, Left())
    return made


def test_a_node_is_a_line_for_each_type(roster: Roster, capsys: pytest.CaptureFixture[str]) -> None:
    (state,) = roster.nodes()
    print_node(node_out(state, None, (), {}, 2.0).model_dump())
    who, head, *lines = (" ".join(line.split()) for line in capsys.readouterr().out.splitlines())
    assert who == "edge-1 gateway of default/edge envoy 1.40.0 live, connected"
    assert head == "TYPE ASKED ACKED UNANSWERED OWED PARKED HELD BACK PUSHES NACKS ANSWERED IN REFUSED"
    assert lines == [
        "cds everything 1 of 2 - - - - 2 1 100ms b: no such port",
        "rds egress-0,egress-1,egress-2,egress-3,egress-4 and 3 more 0 of 0 - egress - egress 0 0 - -",
    ]


def test_a_node_that_tells_of_its_breakers_is_a_line_for_each_of_them_too(
    roster: Roster, capsys: pytest.CaptureFixture[str]
) -> None:
    (state,) = roster.nodes()
    told = {"web/v2": Reported(BreakerState.OPEN, opens=1, remapped=52)}
    print_node(node_out(state, None, (), told, 2.0).model_dump())
    *_, head, line = (" ".join(line.split()) for line in capsys.readouterr().out.splitlines())
    assert head == "BREAKER STATE OPENS PROBES REMAPPED REJECTED"
    assert line == "web/v2 open 1 0 52 0"


def test_a_list_of_nodes_has_numbers_and_the_words_of_refusals(
    roster: Roster, capsys: pytest.CaptureFixture[str]
) -> None:
    (state,) = roster.nodes()
    print_table(LISTED, [node_listed(state, None, (), 2.0).model_dump()], nothing="no nodes")
    head, line = (" ".join(line.split()) for line in capsys.readouterr().out.splitlines())
    assert head == "ID ROLE ENV SERVES ENVOY STATE ACKED OWED PARKED HELD BACK REFUSED"
    assert line == "edge-1 gateway default edge envoy 1.40.0 live 1 of 2 1 - 1 cds: b: no such port"


def test_a_node_that_has_asked_for_nothing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    roster = Roster()
    roster.opened(1, Node("edge-1"), Group("g"), 0.0)
    roster.closed(1, 1.0)
    (state,) = roster.nodes()
    print_node(node_out(state, None, (), {}, 3.0).model_dump())
    assert capsys.readouterr().out == (
        "edge-1  sidecar of default/-  -  live, gone for 2s\nit has not asked for anything yet\n"
    )
