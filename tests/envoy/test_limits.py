"""Limits on real Envoy: beyond what a service or a label says, the next request is answered 503 at once (M16)."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.harness.load import ask, request
from tests.harness.mesh import Town
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.envoy


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of an application that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def declared(
    town: Town, service: str, silent: int, labels: dict[str, str], limits: dict[str, int] | None = None
) -> None:
    """Declare a service whose requests give up soon, and wait until they get as far as its application."""
    town.mesh.service(service, timeout="500ms", retry={"attempts": 0}, limits=limits)
    town.mesh.register(service, "v1", silent, labels=labels)
    wait_until(lambda: statuses(town, service, 1) == [504], 20, what=f"{service} is asked")


def statuses(town: Town, service: str, requests: int = 4) -> list[int]:
    """What so many requests at once are answered."""
    found = ask(town.sidecar.port, [request(service)] * requests, connections=requests)
    return sorted(answer.status for answer in found)


def test_one_connection_and_one_that_waits_leave_no_room_for_more(town: Town, silent: int) -> None:
    labels = {"fairlead.breaker.max-connections": "1", "fairlead.breaker.max-pending": "1"}
    declared(town, "wide", silent, {})
    declared(town, "narrow", silent, {}, limits={"connections": 1, "pending": 1})
    declared(town, "labelled", silent, labels)
    assert statuses(town, "wide") == [504] * 4
    for service in ("narrow", "labelled"):
        found = statuses(town, service)
        # One has the connection and one waits. Until that connection is made its own request is the one that waits.
        assert found in ([503, 503, 504, 504], [503, 503, 503, 504]), service
