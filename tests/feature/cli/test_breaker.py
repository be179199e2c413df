"""`fairlead breaker` against a real control plane."""

from __future__ import annotations

import pytest

from tests.feature.cli.conftest import Fairlead
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
