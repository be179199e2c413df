"""The whole way of a breaker: a service's policy, the filter in the gateway, Envoy's metrics, and back to the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.load import ask, request, users
from tests.harness.mesh import USER, Town, mesh, owners, versions
from tests.harness.plane import Json
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.envoy

SPLIT = [{"subset": "v1", "weight": 50}, {"subset": "v2", "weight": 50}]
RULE = {"open_ms": 300_000}  # longer than any test: what opens stays open
MOST = 5 + 8
"""Failures in a row that open it, and what eight connections may have in flight then."""


def _asked(town: Town, count: int = 200) -> dict[int, int]:
    """How many answers there are of each status."""
    _, requests = users(count, lambda name: request("sickly.test", (USER, name)))
    found: dict[int, int] = {}
    for answer in ask(town.gateway.port, requests):
        found[answer.status] = found.get(answer.status, 0) + 1
    return found


def _shown(town: Town) -> Json:
    listed = town.mesh.plane.get("breakers")["items"]
    return next(item for item in listed if item["cluster"] == "sickly/v2")


def test_a_sick_version_is_cut_off_shown_and_held_by_an_operators_word(town: Town) -> None:
    mesh = town.mesh
    apps, _ = mesh.apps("bad+v2")
    mesh.service("sickly", hosts=["sickly.test"], breaker=RULE)
    mesh.register("sickly", "v1", town.apps["v1"])
    mesh.register("sickly", "v2", apps["v2"])
    mesh.service("sickly", breaker=RULE, split=SPLIT)
    mesh.plane.acked("sickly", nodes=2)
    assert 5 <= _asked(town)[500] <= MOST, "five in a row, and what was in flight"
    assert _asked(town) == {200: 200}, "everybody is at the version that works"

    def told() -> bool:
        shown = _shown(town)
        assert shown["rule"]["consecutive"] == 5
        seen = {each["node"]: (each["state"], each["opens"]) for each in shown["nodes"]}
        assert seen.get(town.gateway.id) == ("open", 1), seen
        return True

    wait_until(told, 30, what="Envoy has told of it")
    mesh.plane.put("services/sickly/breakers/v2", {"force": "closed", "reason": "let them see it"})
    wait_until(lambda: _asked(town).get(500, 0) > 60, 15, what="held closed, it gets its users whatever it answers")
    mesh.plane.delete("services/sickly/breakers/v2")
    wait_until(lambda: _asked(town) == {200: 200}, 15, what="its rule decides again")


def test_with_the_control_plane_dead_a_version_that_dies_is_cut_off_and_comes_back(
    envoy_binary: Path, tmp_path: Path
) -> None:
    """Its port refuses connections, and retries hide that from users; it is counted against it all the same."""
    with mesh(envoy_binary, tmp_path / "mesh") as made:
        apps, _ = made.apps("v1")
        dying, program = made.apps("v2")
        gateway = made.gateway("edge")
        rule = {"open_ms": 500, "ramp_ms": 200}
        made.service("web", hosts=["web.test"], breaker=rule)
        for version, port in (apps | dying).items():
            made.register("web", version, port)
        made.service("web", breaker=rule, split=SPLIT)
        made.ready(gateway)
        made.plane.acked("web")
        split = made.split("web")
        people, requests = users(200, lambda name: request("web.test", (USER, name)))
        at_home = owners(split, people)
        assert versions(ask(gateway.port, requests)) == at_home
        made.plane.kill()
        program.stop()
        assert set(versions(ask(gateway.port, requests))) == {"v1"}, "nobody sees an error"
        state = "fairlead_breaker_state.*v2"
        assert set(gateway.counts(state).values()) in ({1}, {2}), "it is open, or tries by now whether it is well"
        made.app("v2", dying["v2"])
        wait_until(lambda: versions(ask(gateway.port, requests)) == at_home, 20, what="everybody is back, each at his")
        wait_until(lambda: set(gateway.counts(state).values()) == {0}, 10, what="it is closed")
