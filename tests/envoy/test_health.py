"""Health as users feel it: who dies costs nothing, who boots gets nothing, who is unstable gets less."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.harness.load import Load, ask, request, users
from tests.harness.mesh import USER, Mesh, Town
from tests.harness.plane import Json
from tests.harness.ports import free_port
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.envoy

FAST = {"kind": "http", "path": "/", "fast": True, "rise": 1}


def member(mesh: Mesh, name: str, health: str, timeout: float = 30.0) -> Json:
    """Wait until an instance is that healthy; the instance then."""

    def there() -> Json | None:
        found = mesh.plane.get(f"instances/{name}")
        assert found["health"] == health, found["verdict"]
        return found

    return wait_until(there, timeout, what=f"{name} is {health}")


def test_m49_a_killed_instance_with_fast_checks_costs_nothing_and_without_retries_less_than_a_second(
    town: Town,
) -> None:
    """kill -9 under load. What Envoy would notice by itself is left out: one service has no retries at all."""
    mesh = town.mesh
    apps, program = mesh.apps("dying")
    for service, retry in (("quick", None), ("bare", {"attempts": 0})):
        mesh.service(service, hosts=[f"{service}.test"], retry=retry)
        mesh.register(service, "v1", town.apps["v1"], check=FAST)
        mesh.register(service, "v1", apps["dying"], id=f"{service}-dying", check=FAST)
        mesh.plane.acked(service, nodes=2)
        member(mesh, f"{service}-dying", "healthy")
    for service in ("quick", "bare"):
        wait_until(partial(_answered_by, town, service, "dying"), 30, what=f"{service} uses both")
    _, kept = users(40, lambda name: request("quick.test", (USER, name)))
    _, bare = users(40, lambda name: request("bare.test", (USER, name)))
    with Load(town.gateway.port, kept, pause=0.002) as load, Load(town.gateway.port, bare, pause=0.002) as exposed:
        load.wait_rounds(2)
        exposed.wait_rounds(2)
        program.kill()
        killed = time.monotonic()
        found = member(mesh, "bare-dying", "unhealthy")
        load.wait_rounds(5)
        exposed.wait_rounds(5)
        time.sleep(max(0.0, killed + 2.0 - time.monotonic()))
        load.wait_rounds(2)
        exposed.wait_rounds(2)
    assert load.failures == []
    last = max((failure.left for failure in exposed.failures), default=killed)
    assert last - killed < 1.0, f"{len(exposed.failures)} failures, the last {last - killed:.3f} s after the kill"
    assert found["verdict"]["decided_by"] == "check"
    assert found["verdict"]["why"] == f"nobody listens at 127.0.0.1 port {apps['dying']}"


def test_m05_an_instance_that_boots_gets_no_request_before_it_is_ready(town: Town) -> None:
    mesh, service, port = town.mesh, "booting", free_port()
    mesh.service(service, hosts=[f"{service}.test"], retry={"attempts": 0})
    mesh.register(service, "v1", town.apps["v1"])
    mesh.plane.acked(service, nodes=2)
    mesh.reachable(town.gateway.port, f"{service}.test", "v1")
    _, requests = users(40, lambda name: request(f"{service}.test", (USER, name)))
    with Load(town.gateway.port, requests, pause=0.003) as load:
        mesh.register(service, "v1", port, id="late", check={"kind": "http", "path": "/"})
        found = member(mesh, "late", "starting")
        assert "not ready yet" in found["verdict"]["why"]
        time.sleep(3.0)  # the boot, as long as the row says
        load.wait_rounds(2)
        mesh.app("fresh", port)
        member(mesh, "late", "healthy")
        wait_until(lambda: _answered_by(town, service, "fresh"), 30, what="it takes its share")
        load.wait_rounds(2)
    assert load.failures == []


def test_m47_an_unstable_instance_keeps_a_part_of_its_traffic(town: Town) -> None:
    """Every fourth answer to its check is bad: never three in a row, so it is not unhealthy either."""
    mesh, service = town.mesh, "shaky"
    mesh.service(service, hosts=[f"{service}.test"])
    mesh.register(service, "v1", town.apps["v1"])
    with flaky() as port:
        check = {"kind": "http", "path": "/", "port": port, "fast": True, "rise": 1}
        mesh.register(service, "v1", town.apps["v2"], id="shaky-one", check=check)
        found = member(mesh, "shaky-one", "unstable")
        assert "of the last" in found["verdict"]["why"]
        assert found["verdict"]["signals"][0]["numbers"]["success_rate"] < 0.9
        mesh.plane.acked(service, nodes=2)
        mesh.reachable(town.gateway.port, f"{service}.test")
        time.sleep(0.5)  # past the debounce, so that the gateway has the weight
        _, requests = users(400, lambda name: request(f"{service}.test", (USER, name)))
        share = Counter(answer.version for answer in ask(town.gateway.port, requests))["v2"] / 400
    assert 0.1 < share < 0.3, "a fifth: weight 25 beside 100"


def test_m62_a_gateway_prefers_its_own_zone_falls_over_to_another_and_returns(town: Town) -> None:
    mesh, env = town.mesh, "zoned"
    gateway = mesh.gateway("near", env=env, zone="a")
    mesh.ready(gateway)
    apps, program = mesh.apps("here")
    mesh.service("zoned", env=env, hosts=["zoned.test"])
    mesh.register("zoned", "v1", apps["here"], env=env, id="zoned-a", zone="a", check=FAST)
    mesh.register("zoned", "v1", town.apps["v2"], env=env, id="zoned-b", zone="b", check=FAST)
    for name in ("zoned-a", "zoned-b"):
        member(mesh, name, "healthy")
    mesh.reachable(gateway.port, "zoned.test")

    def answered_only_by(version: str) -> bool:
        answers = ask(gateway.port, [request("zoned.test", (USER, str(each))) for each in range(40)])
        return {answer.version for answer in answers} == {version}

    wait_until(partial(answered_only_by, "here"), 30, what="its own zone answers everything")
    program.kill()
    wait_until(partial(answered_only_by, "v2"), 30, what="the other zone answers everything")
    mesh.app("here", apps["here"])
    wait_until(partial(answered_only_by, "here"), 30, what="its own zone answers again")


def test_m27_an_address_that_two_instances_claim_gets_one_share_of_the_traffic_and_is_flagged(town: Town) -> None:
    """Whoever registered later has it; when it goes, the other has it again, and no request is lost on the way."""
    mesh, service = town.mesh, "claimed"
    apps, _ = mesh.apps("whole", "shared")  # nobody else's: other services that name the same address are flagged, too
    mesh.service(service, hosts=[f"{service}.test"])
    for name, version in (("stays", "whole"), ("older", "shared")):
        mesh.register(service, "v1", apps[version], id=name)
    mesh.plane.acked(service, nodes=2)
    mesh.reachable(town.gateway.port, f"{service}.test")
    _, requests = users(200, lambda name: request(f"{service}.test", (USER, name)))

    def hosts() -> int:
        return town.gateway.count(f"cluster.{service}/v1.membership_total")

    def claimants() -> set[str]:
        """Who is flagged for what it claims."""
        found = mesh.plane.get(f"services/{service}:explain")["problems"]
        return {problem["object"] for problem in found if problem["pointer"] == "/address"}

    def duplicates() -> set[str]:
        return {alarm["object"] for alarm in mesh.plane.get("alarms")["items"] if alarm["kind"] == "duplicate"}

    with Load(town.gateway.port, requests[:40], pause=0.005) as load:
        mesh.register(service, "v1", apps["shared"], id="newer")
        wait_until(lambda: claimants() == {"older", "newer"}, 30, what="both are flagged")
        wait_until(lambda: f"127.0.0.1:{apps['shared']}" in duplicates(), 30, what="an alarm names the address")
        member(mesh, "older", "draining")
        mesh.plane.acked(service, nodes=2)
        wait_until(lambda: hosts() == 2, 30, what="its address stands there once")
        shares = Counter(answer.version for answer in ask(town.gateway.port, requests))
        assert 0.3 < shares["shared"] / 200 < 0.7, "half, not two thirds"
        mesh.plane.delete("instances/newer")
        wait_until(lambda: not claimants(), 30, what="nothing is flagged any more")
        member(mesh, "older", "healthy")
        mesh.plane.acked(service, nodes=2)
        load.wait_rounds(2)
    assert load.failures == []
    assert hosts() == 2


def _answered_by(town: Town, service: str, version: str) -> bool:
    answers = ask(town.gateway.port, [request(f"{service}.test", (USER, str(each))) for each in range(20)])
    return version in {answer.version for answer in answers}


@contextmanager
def flaky() -> Iterator[int]:
    """A port on which every fourth question is answered with 503."""
    turn = itertools.count(1)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503 if next(turn) % 4 == 0 else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
