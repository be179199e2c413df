"""Faults P4, P7 and P11 on real Envoys, and the end of a control plane."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import herd
from tests.harness.load import Load, ask, request, users
from tests.harness.mesh import USER, Town, mesh
from tests.harness.soak import lasting
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.envoy

SOAK_S = lasting(10.0, 120.0)
HERD, CONNECTIONS = 1_000, 10
CAP = 400 << 20
"""Bytes of memory that a control plane with a thousand streams may have; 138 MiB were measured."""


def test_p4_a_replica_that_never_saw_this_envoy_answers_all_it_knows_and_nothing_warms_for_long(
    envoy_binary: Path, tmp_path: Path
) -> None:
    """Envoy arrives with versions and names that the replica never made, those of a service it lacks among them."""
    with mesh(envoy_binary, tmp_path / "mesh") as made:
        apps, _ = made.apps("v1", "v2")
        gateway = made.gateway("edge")
        for service in ("web", "deleted"):
            made.two_versions(service, apps)
        made.ready(gateway)
        for service in ("web", "deleted"):
            made.reachable(gateway.port, f"{service}.test")
        gateway.stop_working()
        try:
            made.plane.kill()
            made.plane.folder = tmp_path / "replica"
            made.plane.start()
            made.edge("edge", gateway.port)
            for service in ("web", "news"):
                made.two_versions(service, apps)
            made.service("web", connect_timeout="1700ms", split=[{"subset": "v2", "weight": 100}])
        finally:
            gateway.go_on()
        since = time.monotonic()
        made.reachable(gateway.port, "news.test")
        made.reachable(gateway.port, "web.test", "v2")
        made.plane.settled(gateway.id)
        wait_until(lambda: gateway.count("cluster_manager.warming_clusters") == 0, what="nothing warms")
        assert time.monotonic() - since < 15
        assert {answer.status for answer in ask(gateway.port, [request("deleted.test")])} == {404}
        assert made.plane.node(gateway.id)["connected"]


@pytest.mark.timeout(300)  # a thousand clients in Python take their time on a busy machine
def test_p7_a_thousand_streams_after_kill_9_and_again_five_seconds_later_all_come_back(
    envoy_binary: Path, tmp_path: Path
) -> None:
    """The rate is set so low that most are refused at first: they hear UNAVAILABLE, and come back by themselves."""
    env = {"FAIRLEAD_ADS_STREAM_RATE": "150", "FAIRLEAD_ADS_STREAM_BURST": "300"}
    with mesh(envoy_binary, tmp_path / "mesh", env=env) as made:
        apps, _ = made.apps("v1", "v2")
        gateway = made.gateway("edge")
        made.two_versions("web", apps)
        made.ready(gateway)
        made.reachable(gateway.port, "web.test")
        words = [sys.executable, herd.__file__, str(made.plane.ads), str(HERD), str(CONNECTIONS), "4"]
        crowd = made.programs.start(words, name="herd")
        _all_served(crowd.output, 1)
        _, requests = users(50, lambda name: request("web.test", (USER, name)))
        with Load(gateway.port, requests) as load:
            refused = []
            for turn in (2, 3):
                made.plane.kill()
                made.plane.start()
                refused.append(_all_served(crowd.output, turn))
                assert made.plane.memory("VmHWM") < CAP
                wait_until(lambda: made.plane.node(gateway.id)["connected"], 60, what="Envoy is back too")
                if turn == 2:
                    time.sleep(5)  # the fault says so
            load.wait_rounds()
        assert load.failures == []
        assert all(count > HERD for count in refused), "each lost its stream, and some were refused once more"
        crowd.kill()


@pytest.mark.timeout(SOAK_S + 240)
def test_p11_a_canary_that_never_rests_while_endpoints_come_and_go_loses_no_request(town: Town) -> None:
    """0, 10, 50, 100, 0 every 100 ms, and instances of both versions every 50 ms; no gate is waited for."""
    made, service = town.mesh, "churned"
    made.two_versions(service, town.apps)
    made.plane.acked(service, nodes=2)
    made.reachable(town.gateway.port, f"{service}.test")
    more, _ = made.apps("v1", "v2")
    _, requests = users(200, lambda name: request(f"{service}.test", (USER, name)))
    rollout = made.plane.post("rollouts", {"service": service, "version": "v2"})["id"]
    end = time.monotonic() + SOAK_S
    turns = 0
    with Load(town.gateway.port, requests, pause=0.004) as load:
        while time.monotonic() < end:
            since = time.monotonic()
            version = ("v1", "v2")[turns % 2]
            made.plane.post(f"rollouts/{rollout}:set-weight", {"weight": (0, 10, 50, 100)[turns % 4]})
            extra = made.register(service, version, more[version], id=f"churned-extra-{version}")
            time.sleep(0.05)
            made.plane.delete(f"instances/{extra}")
            turns += 1
            time.sleep(max(0.0, since + 0.1 - time.monotonic()))
        made.plane.set_weight(rollout, 50)
        load.wait_rounds()
        made.plane.post(f"rollouts/{rollout}:abort")
        made.plane.phase(rollout, "aborted")
    print(f"P11: {turns} turns, {len(load.seen)} requests, {len(load.failures)} failed")  # noqa: T201 - for make soak
    assert load.failures == []
    assert turns > SOAK_S * 4
    assert town.gateway.count("cluster_manager.warming_clusters") == 0


def test_sigterm_under_load_tells_every_stream_and_costs_no_request(envoy_binary: Path, tmp_path: Path) -> None:
    """Streams hear UNAVAILABLE and look for another; Envoy goes on with what it has."""
    with mesh(envoy_binary, tmp_path / "mesh") as made:
        apps, _ = made.apps("v1", "v2")
        gateway = made.gateway("edge")
        made.two_versions("web", apps)
        made.ready(gateway)
        made.reachable(gateway.port, "web.test")
        words = [sys.executable, herd.__file__, str(made.plane.ads), "50", "5", "1"]
        crowd = made.programs.start(words, name="herd")
        _all_served(crowd.output, 1)
        _, requests = users(50, lambda name: request("web.test", (USER, name)))
        with Load(gateway.port, requests) as load:
            assert made.plane.program is not None
            since = time.monotonic()
            assert made.plane.program.stop() == 0
            assert time.monotonic() - since < 8, "streams are ended, not waited for"
            load.wait_rounds()
            made.plane.start()
            wait_until(lambda: made.plane.node(gateway.id)["connected"], 60, what="Envoy is back")
            _all_served(crowd.output, 2)
        assert load.failures == []
        assert "failed 0" in crowd.output().splitlines()[1], "UNAVAILABLE is all that anybody heard"
        crowd.kill()


def _all_served(output: Callable[[], str], lines: int, timeout: float = 60.0) -> int:
    """Wait until the herd has been served as a whole so often; how many streams ended by UNAVAILABLE before that."""

    def there() -> list[str] | None:
        found = str(output()).splitlines()
        return found if len(found) >= lines else None

    line = wait_until(there, timeout, what=f"the herd is served, time {lines}")[lines - 1]
    return int(line.split()[3])
