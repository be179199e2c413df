"""What Envoys refuse together is taken back: the control plane with its real store and translation, and nodes that
answer as the ADS server would note it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.feature.control.plane_on_disk import WEB, say, two_versions
from tests.feature.control.sidecar import Sidecar
from tests.harness.waiting import until
from xds.control.plane import ControlPlane
from xds.model.declare import Put, StartRollout, StepRollout
from xds.model.instance import Instance
from xds.model.problems import Problem
from xds.model.rollout import Abort, Phase, SetWeight, Step


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    async with two_versions(tmp_path) as plane:
        yield plane


async def fleet(plane: ControlPlane, size: int) -> list[Sidecar]:
    """That many sidecars, all of which have acknowledged what stands."""
    await is_published(plane, {"v1": 10_000})
    made = [Sidecar(plane, f"n{number}", number) for number in range(size)]
    for sidecar in made:
        await sidecar.connect()
        sidecar.ack()
    return made


async def is_published(plane: ControlPlane, weights: dict[str, int]) -> None:
    await until(lambda: plane.service_status(WEB).effective == weights, timeout=5)


def freezes(plane: ControlPlane) -> list[Problem]:
    return [problem for problem in plane.problems if problem.kind == "freeze"]


async def refused(plane: ControlPlane, nodes: list[Sidecar]) -> str:
    """A rollout whose first weight these nodes refuse."""
    rollout = (await say(plane, StartRollout(WEB, "v2", (Step(500, None),)))).key
    await is_published(plane, {"v1": 9500, "v2": 500})
    for node in nodes:
        node.nack("route: too odd")
    return rollout


async def test_weights_that_all_envoys_refuse_are_taken_back_and_their_rollout_is_blocked(plane: ControlPlane) -> None:
    nodes = await fleet(plane, 3)
    rollout = await refused(plane, nodes)
    await is_published(plane, {"v1": 10_000})
    for node in nodes:
        node.ack()
    status = plane.rollout_status(rollout)
    assert (status.state, status.rollout.phase) == ("blocked", Phase.SHIFTING)
    assert "3 of 3 Envoys refused it (n0, n1, n2): route: too odd" in status.gate.reason
    assert status.gate.nodes[0].wanted == {"v1": 9500, "v2": 500}
    (problem,) = freezes(plane)
    assert problem.object == "rds egress of default"
    assert "route: too odd" in problem.message


async def test_an_operators_next_weight_is_published_at_once(plane: ControlPlane) -> None:
    nodes = await fleet(plane, 2)
    rollout = await refused(plane, nodes)
    await is_published(plane, {"v1": 10_000})
    await say(plane, StepRollout(rollout, SetWeight(400)))
    await is_published(plane, {"v1": 9600, "v2": 400})
    assert not freezes(plane)
    for node in nodes:
        node.ack()
    await until(lambda: plane.rollout_status(rollout).rollout.phase is Phase.PAUSED, timeout=5)


async def test_abort_of_what_was_taken_back_ends_the_rollout(plane: ControlPlane) -> None:
    nodes = await fleet(plane, 2)
    rollout = await refused(plane, nodes)
    await is_published(plane, {"v1": 10_000})
    for node in nodes:
        node.ack()
    await say(plane, StepRollout(rollout, Abort()))
    await until(lambda: plane.rollout_status(rollout).rollout.phase is Phase.ABORTED, timeout=5)
    assert not freezes(plane)


async def test_the_refused_content_stays_out_while_other_things_change(plane: ControlPlane) -> None:
    nodes = await fleet(plane, 2)
    rollout = await refused(plane, nodes)
    await is_published(plane, {"v1": 10_000})
    for node in nodes:
        node.ack()
    await say(plane, Put(Instance("web-v2-b", WEB, "127.0.0.1", {"http": 8090}, version="v2")))
    await until(lambda: not plane._loop._pace.due(), timeout=5, what="the new endpoint is published")
    assert plane.service_status(WEB).effective == {"v1": 10_000}
    assert plane.rollout_status(rollout).state == "blocked"


async def test_two_hostile_envoys_do_not_stop_one_that_takes_it(plane: ControlPlane) -> None:
    honest, *hostile = await fleet(plane, 3)
    rollout = await refused(plane, hostile)
    honest.ack()
    await until(lambda: not plane._loop._refused, timeout=5, what="it was judged")
    assert plane.service_status(WEB).effective == {"v1": 9500, "v2": 500}
    assert plane.rollout_status(rollout).state == "blocked"
    assert not freezes(plane)
