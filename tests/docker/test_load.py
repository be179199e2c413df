"""Containers that come, go and fail under load through a real Envoy, and many of them at once (rows M05, M08, M27).

How many come at once is FAIRLEAD_MANY_CONTAINERS, how long the slow one boots FAIRLEAD_BOOT_SECONDS.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

import pytest

from tests.docker.host import Host
from tests.harness.docker_engine import DockerEngine
from tests.harness.load import Load, ask, request
from tests.harness.proxy import Proxy
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.envoy

MANY: Final = int(os.environ.get("FAIRLEAD_MANY_CONTAINERS", "40"))
BOOT: Final = float(os.environ.get("FAIRLEAD_BOOT_SECONDS", "2"))
AT_ONCE: Final = 4
ASKED: Final = request("web.test")
WEB: Final = {
    "fairlead.service": "web",
    "fairlead.port": "8080",
    "fairlead.version": "v1",
    "fairlead.route.all.host": "web.test",
}


@pytest.fixture(scope="module")
def gateway(host: Host) -> Proxy:
    return host.gateway()


def together(engine: DockerEngine, *names: str) -> None:
    """Start containers side by side."""
    with ThreadPoolExecutor(AT_ONCE) as several:
        list(several.map(lambda name: engine.run(name, labels=WEB), names))


def answer(gateway: Proxy) -> str:
    """Who answers."""
    (found,) = ask(gateway.port, [ASKED])
    return found.body.decode().strip() if found.status == 200 else ""


@contextmanager
def users(host: Host, engine: DockerEngine, gateway: Proxy, *names: str, cut_off: int = 0) -> Iterator[Load]:
    """Users of containers that have been started; at the end, none of their requests has failed.

    As many answers as `cut_off` may end in the middle: what has begun to be answered can be tried again by nobody.
    """
    together(engine, *names)
    host.awaits(*names)
    wait_until(lambda: answer(gateway) in names, 20, what="the route leads there")
    with Load(gateway.port, [ASKED] * 8) as load:
        load.wait_rounds()
        yield load
        load.wait_rounds(3)
    begun = [each for each in load.failures if each.failure.startswith("the connection was closed")]
    assert load.failures == begun[:cut_off]


def test_m08_a_stop_and_a_kill_cost_no_request(host: Host, engine: DockerEngine, gateway: Proxy) -> None:
    with users(host, engine, gateway, "stopped", "killed", "stays", cut_off=8):  # at most what is in flight
        engine.docker("stop", "-t", "5", "stopped")
        engine.docker("kill", "killed")
        host.awaits("stays")


def test_d1_a_restart_of_the_engine_costs_no_request_and_loses_nobody(
    host: Host, engine: DockerEngine, gateway: Proxy
) -> None:
    with users(host, engine, gateway, "one", "two"):
        before = host.awaits("one", "two")
        engine.stop()
        engine.start()
        together(engine, "three")
        after = host.awaits("one", "two", "three")
    assert {name: after[name]["revision"] for name in before} == {name: before[name]["revision"] for name in before}


def test_m05_a_slow_boot_costs_no_request(host: Host, engine: DockerEngine, gateway: Proxy) -> None:
    with users(host, engine, gateway, "up"):
        engine.run("slow", labels=WEB, BOOT=BOOT)
        host.awaits("up", "slow")
        wait_until(lambda: answer(gateway) == "slow", 20, what="it has its share")


def test_m27_two_that_want_one_port_of_the_host_are_flagged_and_who_has_it_answers(
    host: Host, engine: DockerEngine, gateway: Proxy, free_port: Callable[[], int]
) -> None:
    port = free_port()
    for name in ("first", "second"):
        engine.run(name, "--network=host", labels={**WEB, "fairlead.port": str(port)}, LISTEN=port)
        host.awaits("first", *(["second"] if name == "second" else []))
    flagged = wait_until(
        lambda: {each["object"] for each in host.plane.get("problems")["items"] if each["pointer"] == "/address"}, 20
    )
    assert flagged == {each["id"] for each in host.registered().values()}
    wait_until(lambda: answer(gateway) == "first", 20, what="it is answered")


def test_d3_ten_megabytes_of_labels_cost_their_container_only(host: Host, engine: DockerEngine) -> None:
    engine.run("good")
    engine.create("heavy", {"fairlead.service": "web", "fairlead.meta.note": "y" * 10_000_000})
    engine.docker("start", "heavy")
    host.says("heavy", "refused")
    host.awaits("good")


def test_d2_of_many_that_come_and_go_at_once_one_cannot_be_inspected_and_the_others_stand(
    host: Host, engine: DockerEngine
) -> None:
    """The registry is what the engine runs, before and after (D1)."""
    names = [f"many{number}" for number in range(MANY)]
    together(engine, *names)
    before = host.awaits(*names, timeout=60)
    assert set(engine.docker("ps", "--format", "{{.Names}}").split()) == set(names)
    odd = engine.docker("inspect", "-f", "{{.Id}}", names[0])
    with host.recorder.refusing(f"/containers/{odd}/json"):
        asked = len(host.recorder.asked)
        host.recorder.cut()  # everybody is inspected anew
        wait_until(lambda: sum("/json" in line for line in host.recorder.asked[asked:]) > MANY, 30)
        engine.docker("rm", "-f", names[0])
        after = host.awaits(*names[1:])
    assert {name: each["revision"] for name, each in after.items()} == {
        name: before[name]["revision"] for name in names[1:]
    }
    with ThreadPoolExecutor(AT_ONCE + 1) as several:
        going = [several.submit(engine.docker, "rm", "-f", *names[1 + at :: AT_ONCE]) for at in range(AT_ONCE)]
        engine.run("late")
        for each in going:
            each.result(60)
    host.awaits("late")
    assert engine.docker("ps", "--format", "{{.Names}}") == "late"
