"""Rollouts are moved by acknowledgements: the control plane with its real store and translation, and nodes that answer.

The nodes here are entries in the roster, as the ADS server makes them; that Envoys give these answers is shown in
tests/envoy.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.feature.control.plane_on_disk import WEB, say, two_versions
from tests.feature.control.sidecar import Sidecar
from tests.harness.waiting import until
from xds.cache.roster import LIVE_AFTER_CLOSE
from xds.control.gate import GateState
from xds.control.plane import ControlPlane
from xds.control.ports import Commit
from xds.control.status import RolloutStatus
from xds.model.declare import Delete, Put, StartRollout, StepRollout
from xds.model.intent import Kind, Ref
from xds.model.names import Key
from xds.model.problems import Conflict, InvalidInput, Unavailable
from xds.model.rollout import Abort, Pause, Phase, Promote, Resume, SetWeight, Step
from xds.model.route import Route
from xds.wire.types import ResourceType

ROUTE = ResourceType.ROUTE


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    async with two_versions(tmp_path) as plane:
        yield plane


async def start(plane: ControlPlane, *plan: Step, auto_promote: bool = False) -> str:
    return (await say(plane, StartRollout(WEB, "v2", plan, auto_promote))).key


async def reach(plane: ControlPlane, rollout: str, phase: Phase) -> RolloutStatus:
    await until(lambda: plane.rollout_status(rollout).rollout.phase is phase, timeout=5)
    return plane.rollout_status(rollout)


def published(plane: ControlPlane) -> dict[str, int]:
    return dict(plane.service_status(WEB).effective)


async def is_published(plane: ControlPlane, weights: dict[str, int]) -> None:
    await until(lambda: published(plane) == weights, timeout=5)


async def test_without_a_live_envoy_a_step_is_blocked_and_never_done(plane: ControlPlane) -> None:
    rollout = await start(plane, Step(500))
    await is_published(plane, {"v1": 9500, "v2": 500})
    status = plane.rollout_status(rollout)
    assert (status.state, status.gate.live) == ("blocked", 0)
    assert "no live Envoy" in status.gate.reason


async def test_a_step_is_done_only_when_every_live_node_has_acknowledged_it(plane: ControlPlane) -> None:
    first, second = Sidecar(plane, "one", 1), Sidecar(plane, "two", 2)
    for sidecar in (first, second):
        await sidecar.connect()
        sidecar.ack()
    rollout = await start(plane, Step(500, None))
    await is_published(plane, {"v1": 9500, "v2": 500})
    first.ack()
    await asyncio.sleep(0)
    status = plane.rollout_status(rollout)
    assert (status.gate.state, status.gate.acked, status.gate.live) == (GateState.WAITING, 1, 2)
    assert status.rollout.phase is Phase.SHIFTING
    second.ack()
    assert (await reach(plane, rollout, Phase.PAUSED)).gate.acked == 2


async def test_a_step_goes_on_by_itself_when_the_last_silent_node_is_not_live_any_more(plane: ControlPlane) -> None:
    """Nobody says so: the moment itself has to wake the loop."""
    first, second = Sidecar(plane, "one", 1), Sidecar(plane, "two", 2)
    for sidecar in (first, second):
        await sidecar.connect()
        sidecar.ack()
    rollout = await start(plane, Step(500, None))
    await is_published(plane, {"v1": 9500, "v2": 500})
    first.ack()
    second.leave(ago=LIVE_AFTER_CLOSE - 0.3)
    assert plane.rollout_status(rollout).gate.live == 2
    assert (await reach(plane, rollout, Phase.PAUSED)).gate.live == 1


async def test_a_refusal_blocks_the_step_with_the_node_and_envoys_words(plane: ControlPlane) -> None:
    sidecar = Sidecar(plane, "one", 1)
    await sidecar.connect()
    sidecar.ack()
    rollout = await start(plane, Step(500), Step(1000))
    await is_published(plane, {"v1": 9500, "v2": 500})
    sidecar.nack("route: unknown cluster")
    status = plane.rollout_status(rollout)
    assert status.state == "blocked"
    assert status.gate.reason == "one refused: route: unknown cluster"
    (problem,) = plane.problems
    assert (problem.kind, problem.object) == ("node", "one")
    assert "refused its rds: route: unknown cluster" in problem.message
    assert status.rollout.phase is Phase.SHIFTING


async def test_a_plan_runs_through_its_steps_and_promotes(plane: ControlPlane) -> None:
    sidecar = Sidecar(plane, "one", 1)
    await sidecar.connect()
    sidecar.ack()
    rollout = await start(plane, Step(500), Step(5000), auto_promote=True)
    for weights in ({"v1": 9500, "v2": 500}, {"v1": 5000, "v2": 5000}, {"v2": 10_000}):
        await is_published(plane, weights)
        sidecar.ack()
    await reach(plane, rollout, Phase.SUCCEEDED)
    assert plane.intent.services[WEB].stable == "v2"


async def test_abort_returns_everybody_and_may_be_said_twice(plane: ControlPlane) -> None:
    sidecar = Sidecar(plane, "one", 1)
    await sidecar.connect()
    sidecar.ack()
    rollout = await start(plane, Step(2500, None))
    await is_published(plane, {"v1": 7500, "v2": 2500})
    sidecar.ack()
    await reach(plane, rollout, Phase.PAUSED)
    for _ in range(2):
        await say(plane, StepRollout(rollout, Abort()))
    await is_published(plane, {"v1": 10_000})
    sidecar.ack()
    await reach(plane, rollout, Phase.ABORTED)
    await say(plane, StepRollout(rollout, Abort()))
    assert plane.intent.services[WEB].stable == "v1"


async def test_pause_stops_a_plan_and_resume_lets_it_go_on(plane: ControlPlane) -> None:
    sidecar = Sidecar(plane, "one", 1)
    await sidecar.connect()
    sidecar.ack()
    rollout = await start(plane, Step(500, 60.0), Step(1000, None))
    await is_published(plane, {"v1": 9500, "v2": 500})
    sidecar.ack()
    await reach(plane, rollout, Phase.HOLDING)
    await say(plane, StepRollout(rollout, Pause()))
    await say(plane, StepRollout(rollout, Resume()))
    await is_published(plane, {"v1": 9000, "v2": 1000})


async def test_a_weight_set_by_hand_waits_for_the_operator(plane: ControlPlane) -> None:
    sidecar = Sidecar(plane, "one", 1)
    await sidecar.connect()
    sidecar.ack()
    rollout = await start(plane)
    await say(plane, StepRollout(rollout, SetWeight(1234)))
    await is_published(plane, {"v1": 8766, "v2": 1234})
    sidecar.ack()
    assert "by hand" in (await reach(plane, rollout, Phase.PAUSED)).rollout.reason


async def test_a_canary_without_a_healthy_instance_is_blocked_and_its_users_stay(plane: ControlPlane) -> None:
    sidecar = Sidecar(plane, "one", 1)
    await sidecar.connect()
    sidecar.ack()
    rollout = await start(plane, Step(500))
    await is_published(plane, {"v1": 9500, "v2": 500})
    await say(plane, Delete(Ref(Kind.INSTANCE, "web-v2")))
    await is_published(plane, {"v1": 10_000})
    sidecar.ack()
    status = plane.rollout_status(rollout)
    assert status.state == "blocked"
    assert "no healthy instance of version v2" in status.gate.reason
    assert any("v2" in problem.message for problem in plane.problems)


async def test_the_last_endpoint_of_a_subset_stays_until_the_fallback_route_is_acknowledged(
    plane: ControlPlane,
) -> None:
    sidecar = Sidecar(plane, "one", 1)
    await sidecar.connect()
    sidecar.ack()
    await start(plane, Step(500, None))
    await is_published(plane, {"v1": 9500, "v2": 500})
    sidecar.ack()
    await say(plane, Delete(Ref(Kind.INSTANCE, "web-v2")))
    await is_published(plane, {"v1": 10_000})
    assert "web-v2" in plane.intent.leaving
    sidecar.ack()
    await until(lambda: "web-v2" not in plane.intent.leaving, timeout=5)


async def test_the_last_endpoint_stays_too_until_a_route_with_a_subset_of_its_own_is_acknowledged(
    plane: ControlPlane,
) -> None:
    """Such a route carries no weights of the service, and sends users all the same."""
    await say(plane, Put(Route(Key("default", "web.beta"), WEB, hosts=("beta.example.com",), subset="v2")))
    sidecar = Sidecar(plane, "one", 1)
    await sidecar.connect()
    sidecar.ack()
    await say(plane, Delete(Ref(Kind.INSTANCE, "web-v2")))
    await until(lambda: any("v2" in problem.message for problem in plane.problems), timeout=5, what="the fall-back")
    plane.roster.subscribed(1, ROUTE, ["egress"])  # wakes the loop, and is no acknowledgement
    await asyncio.sleep(0.01)
    assert "web-v2" in plane.intent.leaving
    sidecar.ack()
    await until(lambda: "web-v2" not in plane.intent.leaving, timeout=5)


async def test_a_step_that_the_store_did_not_take_is_tried_again(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody says when the store is back. A failing disk cannot be had on demand here."""
    sidecar = Sidecar(plane, "one", 1)
    await sidecar.connect()
    sidecar.ack()
    rollout = await start(plane, Step(500, None))
    await is_published(plane, {"v1": 9500, "v2": 500})
    refused: list[Commit] = []

    async def full(commit: Commit) -> None:
        refused.append(commit)
        raise Unavailable("the disk is full", code="store")

    with monkeypatch.context() as patched:
        patched.setattr(plane.store, "commit", full)
        sidecar.ack()
        await until(lambda: bool(refused), timeout=5)
    assert plane.rollout_status(rollout).rollout.phase is Phase.SHIFTING
    await reach(plane, rollout, Phase.PAUSED)
    assert len(refused) == 1


async def test_what_cannot_be_is_refused_and_changes_nothing(plane: ControlPlane) -> None:
    revision = plane.intent.revision
    with pytest.raises(InvalidInput, match="no instance of version 'v9'"):
        await say(plane, StartRollout(WEB, "v9"))
    with pytest.raises(InvalidInput, match="already the stable version"):
        await say(plane, StartRollout(WEB, "v1"))
    assert plane.intent.revision == revision


async def test_a_second_rollout_and_a_promotion_of_nothing_are_conflicts(plane: ControlPlane) -> None:
    rollout = await start(plane, Step(500))
    with pytest.raises(Conflict, match="still shifting"):
        await start(plane, Step(1000))
    await say(plane, StepRollout(rollout, Abort()))
    with pytest.raises(Conflict, match="it is aborting"):
        await say(plane, StepRollout(rollout, Promote()))
