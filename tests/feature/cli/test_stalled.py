"""R2: a control plane that is stopped for longer than a lease hears nobody, and holds it against nobody."""

from __future__ import annotations

import signal
import time

from tests.harness.plane import Plane
from tests.harness.soak import lasting
from tests.harness.waiting import wait_until
from xds.client import Fairlead, State

TTL = 2.0
STOPPED_S = lasting(4.0, 60.0)


def test_r2_a_control_plane_that_was_stopped_gives_everybody_a_full_lease(plane: Plane) -> None:
    with Fairlead(f"http://127.0.0.1:{plane.api}") as fairlead:
        there = [fairlead.register("web", port, address="10.0.0.7", ttl=TTL) for port in (8080, 8081, 8082)]
        assert plane.program is not None
        plane.program.send(signal.SIGSTOP)
        until = time.monotonic() + STOPPED_S
        wait_until(lambda: time.monotonic() > until, what="a stop that is longer than a lease")
        plane.program.send(signal.SIGCONT)
        heard = [each.seq for each in there]
        wait_until(
            lambda: all(each.seq >= seq + 3 for each, seq in zip(there, heard, strict=True)), 60, what="renewals"
        )
        assert {each.state for each in there} == {State.REGISTERED}
        found = plane.get("instances")["items"]
        assert {each["health"] for each in found} == {"healthy"}
        assert len(found) == 3
        rows = plane.get("journal")["items"]
        assert {row["kind"] for row in rows} <= {"instance", "service"}, "nobody was marked, nothing was alarmed"
