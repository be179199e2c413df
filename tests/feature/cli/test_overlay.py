"""`fairlead drain`, `weight`, `pin` and `undo` against a real control plane."""

from __future__ import annotations

import pytest

from tests.feature.cli.conftest import Fairlead
from tests.harness.plane import Plane


@pytest.fixture
def web(plane: Plane) -> None:
    """Two instances of v1, which is stable, and one of v2."""
    for number, version in ((1, "v1"), (2, "v1"), (3, "v2")):
        document = {"service": "web", "version": version, "address": f"10.0.0.{number}", "port": 8080}
        plane.put(f"instances/web-{number}", document)


def test_what_is_laid_over_is_told_listed_and_undone(fairlead: Fairlead, plane: Plane, web: None) -> None:
    said = fairlead("drain", "web-1", "--for", "30m", "--reason", "new disk").stdout
    assert said == "overlay drain-web-1: drain id=web-1, 1 instance now, for 30m\n"
    assert "weight-web-v1: weight service=web,version=v1" in fairlead("weight", "web/v1", "--to", "20").stdout
    fairlead("drain", "-l", "service=web, version = v2", "--id", "by-hand")
    assert "pin web v2, 1 instance now, until it is undone" in fairlead("pin", "web", "v2").stdout
    lines = [" ".join(line.split()) for line in fairlead("get", "overlays").stdout.splitlines()]
    assert lines[0] == "ID ACT ON WEIGHT INSTANCES ENDS IN OWNER REASON"
    assert [line.split()[0] for line in lines[1:]] == ["by-hand", "drain-web-1", "pin-web", "weight-web-v1"]
    explained = fairlead("explain", "web").stdout
    assert "drain-web-1,weight-web-v1" in explained, "both are about it, and the first one decides"
    assert fairlead("undo", "drain-web-1").stdout == "overlay drain-web-1 undone\n"
    assert [overlay["id"] for overlay in plane.get("overlays")["items"]] == ["by-hand", "pin-web", "weight-web-v1"]


def test_what_costs_users_or_means_nobody_takes_force_c3(fairlead: Fairlead, web: None) -> None:
    assert "nobody would be left to serve default/web v1" in fairlead("drain", "web/v1", exit_code=1).stderr
    assert "no instance of env default matches id=web-7" in fairlead("drain", "web-7", exit_code=1).stderr
    assert "nothing says which instances" in fairlead("drain", exit_code=2).stderr
    fairlead("drain", "web/v1", "--force", "--reason", "moving house")
