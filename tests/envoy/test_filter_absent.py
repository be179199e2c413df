"""Whole systems whose filter is missing, refused or trapping: requests flow, and the split holds at random.

What Envoy does with a filter that is late or that it refuses by itself: test_filter_failures.py.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import wasmtime

from tests.harness.load import ask, request, turns, users
from tests.harness.mesh import USER, Mesh, mesh, owners, versions
from tests.harness.proxy import Proxy
from tests.harness.repo import ROOT
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.envoy

BUCKET = "x-fairlead-bucket"
WEIGHT = 30.0
REQUESTS = 2_000


def up(made: Mesh) -> list[Proxy]:
    """A service at 70 to 30 behind a gateway and a sidecar."""
    apps, _ = made.apps("v1", "v2")
    proxies = [made.gateway("edge"), made.sidecar("client")]
    made.two_versions("web", apps)
    made.service("web", split=[{"subset": "v1", "weight": 100 - WEIGHT}, {"subset": "v2", "weight": WEIGHT}])
    made.ready(*proxies)
    made.plane.acked("web", nodes=2)
    for proxy in proxies:
        made.reachable(proxy.port, "web.test")
    return proxies


def assert_random(proxy: Proxy, *headers: tuple[str, str]) -> None:
    """One user is on both sides, as often as the weight says (within four and a half deviations)."""
    seen = versions(ask(proxy.port, [request("web.test", (USER, "ada"), *headers)] * REQUESTS))
    share, spread = WEIGHT / 100, 4.5 * math.sqrt(WEIGHT / 100 * (1 - WEIGHT / 100) / REQUESTS)
    assert abs(seen.count("v2") / REQUESTS - share) <= spread, seen.count("v2")
    assert len(turns(seen)) > 100


@pytest.mark.parametrize("missing", ["none", "refused"])
def test_without_a_filter_the_split_holds_at_random_and_no_header_decides_it(
    envoy_binary: Path, tmp_path: Path, missing: str
) -> None:
    """A refused module is a problem for everybody to read, not a control plane that does not start."""
    module = tmp_path / "broken.wasm"
    module.write_bytes(b"\0asm\1\0\0\0 and then nonsense")
    with mesh(envoy_binary, tmp_path / "mesh", "--filter", "none" if missing == "none" else str(module)) as made:
        proxies = up(made)
        problems = [item for item in made.plane.get("problems")["items"] if item["kind"] == "filter"]
        assert bool(problems) == (missing == "refused"), problems
        for proxy in proxies:
            assert_random(proxy)
            assert_random(proxy, (BUCKET, "9999"))


def test_a_trap_costs_its_own_request_and_the_split_still_holds(envoy_binary: Path, tmp_path: Path) -> None:
    """It starts and configures well, so no check before publishing can find it; Envoy reloads the VM at once."""
    module = tmp_path / "trap.wasm"
    module.write_bytes(bytes(wasmtime.wat2wasm((ROOT / "tests/modules/trap.wat").read_text())))
    with mesh(envoy_binary, tmp_path / "mesh", "--filter", str(module)) as made:
        for proxy in up(made):
            assert_random(proxy)
            for _ in range(3):
                assert ask(proxy.port, [request("web.test", ("x-trap", "1"))])[0].status == 503
                wait_until(lambda at=proxy: ask(at.port, [request("web.test")])[0].status == 200, what="the reload")  # type: ignore[misc]  # mypy does not infer lambdas with defaults
            assert_random(proxy)


def test_the_filter_that_ran_stays_when_its_successor_is_refused(envoy_binary: Path, tmp_path: Path) -> None:
    """A restart with a broken module: the last accepted one is published again, and nobody changes sides."""
    module = tmp_path / "module.wasm"
    module.write_bytes((ROOT / "filters/health.wasm").read_bytes())
    with mesh(envoy_binary, tmp_path / "mesh", "--filter", str(module)) as made:
        proxies = up(made)
        people, requests = users(300, lambda name: request("web.test", (USER, name)))
        wanted = owners(made.split("web"), people)
        assert versions(ask(proxies[0].port, requests)) == wanted
        known = proxies[0].updates()
        made.plane.kill()
        module.write_bytes(b"not wasm at all")
        made.plane.start()
        made.plane.settled(*(proxy.id for proxy in proxies))
        assert [item["kind"] for item in made.plane.get("problems")["items"]] == ["filter"]
        assert proxies[0].updates() == known
        for proxy in proxies:
            assert versions(ask(proxy.port, requests)) == wanted
