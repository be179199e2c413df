"""`fairlead guard` against a real control plane, with instances whose leases really run out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.feature.cli.conftest import Fairlead
from tests.harness.plane import Plane
from tests.harness.processes import Programs
from tests.harness.waiting import wait_until


@pytest.fixture
def plane(programs: Programs, tmp_path: Path) -> Iterator[Plane]:
    """One whose leases hold nobody back: what they would not let go, the guard need not hold."""
    impatient = {"FAIRLEAD_LEASES_HARD_LIMIT": "0"}
    plane = Plane(programs, tmp_path / "data", "--filter", "none", "--log-level", "warning", env=impatient)
    plane.start()
    yield plane
    plane.close()


def test_what_leases_alone_would_take_is_held_until_an_operator_lets_it_go(fairlead: Fairlead, plane: Plane) -> None:
    assert "nothing is held" in fairlead("guard", "list").stderr
    for number in range(6):
        document = {"service": "web", "address": f"10.0.0.{number}", "port": 8080, "version": "v1", "ttl": "1s"}
        plane.put(f"instances/web-{number}", document)

    def held() -> list[str]:
        return [item["id"] for item in json.loads(fairlead("guard", "list", "-o", "json").stdout)]

    names = wait_until(held, 20, what="the guard holds one")
    assert names[0] in fairlead("guard", "list").stdout
    assert "guard" in fairlead("get", "problems").stdout
    released = json.loads(fairlead("guard", "release", "web", "--reason", "a test", "-o", "json").stdout)["released"]
    assert set(names) <= set(released)
