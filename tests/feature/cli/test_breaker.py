"""`fairlead breaker` against a real control plane."""

from __future__ import annotations

import json

import grpc
import pytest

from tests.feature.cli.conftest import Fairlead
from tests.feature.cli.test_traffic import METRICS, hello
from tests.feature.telemetry.conftest import breaker_metrics
from tests.harness.plane import Plane


@pytest.fixture
def web(plane: Plane) -> None:
    """A service of two versions."""
    for number, version in enumerate(("v1", "v2")):
        document = {"service": "web", "version": version, "address": f"10.0.0.{number + 1}", "port": 8080}
        plane.put(f"instances/web-{number}", document)


def test_a_breaker_is_held_and_given_back(fairlead: Fairlead, plane: Plane, web: None) -> None:
    said = fairlead("breaker", "open", "web", "v2", "--for", "30d", "--reason", "it loses orders").stdout
    assert said == "the breaker of web v2 is held open for 720h\n"
    held = plane.get("services/web")["forced"]["v2"]
    assert (held["force"], held["reason"]) == ("open", "it loses orders")
    assert fairlead("breaker", "close", "web", "v2").stdout == "the breaker of web v2 is held closed\n"
    assert plane.get("services/web")["forced"]["v2"]["force"] == "closed"
    assert "follows its rule again" in fairlead("breaker", "auto", "web", "v2").stdout
    assert plane.get("services/web")["forced"] == {}


def test_what_cannot_be_is_explained(fairlead: Fairlead, web: None) -> None:
    assert "it has -, v1, v2" in fairlead("breaker", "open", "web", "v9", exit_code=2).stderr
    assert "nobody forces the breaker of v1" in fairlead("breaker", "auto", "web", "v1", exit_code=1).stderr
    assert "'V1' is no name" in fairlead("breaker", "open", "web", "V1", exit_code=2).stderr
    assert "not a duration" in fairlead("breaker", "open", "web", "v1", "--for", "soon", exit_code=2).stderr


def test_breakers_are_listed_with_how_they_stand_in_envoys(fairlead: Fairlead, plane: Plane, web: None) -> None:
    assert "no breakers" in fairlead("get", "breakers").stderr
    with grpc.insecure_channel(f"127.0.0.1:{plane.ads}") as channel:
        for node, state in (("edge-1", 1), ("edge-2", 0), ("edge-3", 1)):
            message = hello(node) + breaker_metrics("web/v2", state, opens=1, remapped=5)
            assert channel.stream_unary(METRICS)(iter([message]), timeout=10) == b""
    head, line = (" ".join(each.split()) for each in fairlead("get", "breakers", "web").stdout.splitlines())
    assert head == "CLUSTER SERVICE SUBSET HAS A RULE HELD STANDS OPENS PROBES REMAPPED REJECTED"
    assert line == "web/v2 web v2 no - open in 2, closed in 1 3 0 15 0"
    assert "open in 2, closed in 1" in fairlead("explain", "web").stdout
    assert json.loads(fairlead("get", "breakers", "-o", "json").stdout)["items"] == plane.get("breakers")["items"]
    assert "observed, not declared" in fairlead("delete", "breaker", "web", exit_code=2).stderr
