"""doctor beside a real Envoy: its admin interface, and whose control plane it listens to (rows M23, M38)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.plane import Plane
from tests.harness.processes import Programs
from tests.harness.waiting import wait_until
from xds.cli.doctor import envoy, server
from xds.cli.doctor.finding import Finding
from xds.control.clock import SystemClock
from xds.model.instance import Address


@pytest.fixture
def planes(programs: Programs, tmp_path: Path) -> Iterator[tuple[Plane, Plane]]:
    """Two control planes that know nothing of each other."""
    both = Plane(programs, tmp_path / "1", "--filter", "none"), Plane(programs, tmp_path / "2", "--filter", "none")
    for plane in both:
        plane.start()
    yield both
    for plane in both:
        plane.close()


def url(plane: Plane) -> str:
    return f"http://127.0.0.1:{plane.api}"


def test_an_envoy_is_live_and_connected_here_or_elsewhere_or_nowhere(
    programs: Programs, planes: tuple[Plane, Plane], free_port: Callable[[], int]
) -> None:
    here, other = planes
    here.put("gateways/edge", {"listeners": [{"port": free_port(), "address": "127.0.0.1"}]})
    admin = Address("127.0.0.1", free_port())
    programs.fairlead(
        "--server", url(here), "envoy", "--role", "gateway", "--gateway", "edge", "--id", "edge-1",
        "--admin", str(admin), "--ads", f"127.0.0.1:{here.ads}", name="envoy",
    )  # fmt: skip

    def stream(plane: Plane) -> Finding:
        (found,) = envoy.connected(admin, "edge-1", url(plane), "")
        return found

    wait_until(lambda: envoy.running(admin, asked=True)[1][0].level == "ok", 30, what="Envoy is live")
    node, (live,) = envoy.running(admin, asked=True)
    assert (node, "is live, node edge-1" in live.says) == ("edge-1", True)
    wait_until(lambda: stream(here).level == "ok", 20, what="it is connected")
    elsewhere = stream(other)
    assert "is connected to a control plane, and not to this one" in elsewhere.says
    assert f"127.0.0.1:{here.ads}" in elsewhere.fix

    at = server.Server.parse(f"http://{admin}")
    assert isinstance(at, server.Server)
    (wrong,) = server.identity(at, "", SystemClock().wall)
    assert "is the admin interface of an Envoy" in wrong.says
    _, (stranger,) = envoy.running(Address("127.0.0.1", here.api), asked=True)
    assert "not an Envoy's admin interface" in stranger.says

    here.kill()
    wait_until(lambda: "has no stream to any control plane" in stream(other).says, 20, what="the stream is gone")
