"""A preview is live, and over, when every live Envoy says so: the weights beside it may be the same all along."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.feature.control.plane_on_disk import WEB, say, two_versions
from tests.feature.control.sidecar import Sidecar
from tests.harness.waiting import until
from xds.control.gate import GateState
from xds.control.plane import ControlPlane
from xds.model.declare import StartRollout, StepRollout
from xds.model.preview import Preview
from xds.model.rollout import WAITS, Abort, Phase
from xds.model.route import MatchKind, ValueMatch
from xds.wire.types import ResourceType

SHOWN = Preview("v2", (ValueMatch("x-canary", MatchKind.EXACT, "insider"),))


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    async with two_versions(tmp_path) as plane:
        yield plane


async def start(plane: ControlPlane, sidecar: Sidecar) -> str:
    """A rollout with a preview, published, and a sidecar that acknowledged everything before it."""
    await sidecar.connect()
    sidecar.ack()
    before = published(plane, sidecar)
    rollout = (await say(plane, StartRollout(WEB, "v2", (WAITS,), preview=SHOWN))).key
    await until(lambda: published(plane, sidecar) != before, timeout=5)
    await asyncio.sleep(0)
    return rollout


def published(plane: ControlPlane, sidecar: Sidecar) -> str:
    state, snapshot = plane.roster.node(sidecar.node.id), plane.cache.latest()
    assert state is not None
    assert snapshot is not None
    return snapshot.view(ResourceType.ROUTE, state.group)["egress"].version


async def test_at_the_weights_that_an_envoy_has_already_it_still_waits_for_its_word(plane: ControlPlane) -> None:
    sidecar = Sidecar(plane, "one", 1)
    rollout = await start(plane, sidecar)
    status = plane.rollout_status(rollout)
    assert (status.gate.state, status.gate.acked, status.gate.live) == (GateState.WAITING, 0, 1)
    assert status.gate.nodes[0].acked == status.gate.nodes[0].wanted == {"v1": 10_000}
    sidecar.ack()
    await until(lambda: plane.rollout_status(rollout).rollout.phase is Phase.PAUSED, timeout=5)


async def test_aborted_is_said_only_when_no_envoy_sends_anybody_there(plane: ControlPlane) -> None:
    sidecar = Sidecar(plane, "one", 1)
    rollout = await start(plane, sidecar)
    sidecar.ack()
    await until(lambda: plane.rollout_status(rollout).rollout.phase is Phase.PAUSED, timeout=5)
    shown = published(plane, sidecar)
    await say(plane, StepRollout(rollout, Abort()))
    await until(lambda: published(plane, sidecar) != shown, timeout=5)
    await asyncio.sleep(0)
    assert plane.rollout_status(rollout).rollout.phase is Phase.ABORTING
    sidecar.ack()
    await until(lambda: plane.rollout_status(rollout).rollout.phase is Phase.ABORTED, timeout=5)


async def test_a_refused_preview_blocks_with_envoys_words(plane: ControlPlane) -> None:
    sidecar = Sidecar(plane, "one", 1)
    rollout = await start(plane, sidecar)
    sidecar.nack("route: no such matcher")
    status = plane.rollout_status(rollout)
    assert (status.state, status.gate.reason) == ("blocked", "one refused: route: no such matcher")
