"""What happens in the demo: a canary that is aborted, one that falls sick and is promoted, and the old version's end.

Read this first. Each step is one HTTP call; then it waits until the API says that every Envoy has acknowledged the
weight, watches at least 2,000 requests, and is judged. The first step that breaks an expectation ends the story.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from xds.api.schemas.report import ExplainOut
from xds.api.schemas.rollout import RolloutOut
from xds.cli.demo.board import Board, Row
from xds.cli.demo.calls import Calls
from xds.cli.demo.ledger import Direction, Ledger, Window
from xds.cli.demo.sickness import Sickness
from xds.cli.demo.stage import INSTANCE, NEW, OLD, SERVICE, Stage
from xds.cli.demo.verdict import LEAST_REQUESTS, Broken, Gate, judge, measure

ACK_TIMEOUT = 15.0  # seconds; the API calls a step blocked after 10 s of silence
WINDOW_TIMEOUT = 15.0  # seconds for the users to come back
WORKERS_GRACE = 0.1  # seconds: Envoy acknowledges in its main thread, its workers follow at their next turn


class Disappointed(Exception):
    """Expectations that did not hold."""

    def __init__(self, broken: tuple[Broken, ...]) -> None:
        super().__init__("; ".join(str(each) for each in broken))
        self.broken = broken


class Story:
    """One run of the demo on a stage that has been set up."""

    def __init__(self, stage: Stage, ledger: Ledger, board: Board) -> None:
        """Tell `board` what goes on; judge by `ledger`."""
        self._stage = stage
        self._calls: Calls = stage.calls
        self._ledger = ledger
        self._board = board

    async def play(self) -> None:
        """Play all acts; Disappointed at the first step that breaks an expectation."""
        await self._look("before", 0)
        await self._a_canary_is_aborted()
        await self._a_canary_is_promoted()
        await self._the_old_version_ends()

    async def _a_canary_is_aborted(self) -> None:
        rollout = await self._calls.start_rollout(SERVICE, NEW)
        rollout = await self._calls.settled(rollout, patience=ACK_TIMEOUT, tell=lambda _: None)
        await self._step("canary", 5, self._calls.set_weight(rollout.id, 5))
        await self._step("canary", 25, self._calls.set_weight(rollout.id, 25))
        await self._step("abort", 0, self._calls.abort(rollout.id), Direction.BACK)

    async def _a_canary_is_promoted(self) -> None:
        # A step whose pause is null waits until somebody resumes the plan: here, until its expectations held.
        plan = [{"weight": weight, "pause": None} for weight in (5, 25, 50, 100)]
        rollout = await self._step("canary", 5, self._calls.start_rollout(SERVICE, NEW, plan))
        for weight in (25, 50):
            await self._step("canary", weight, self._calls.resume(rollout.id))
        if broken := await Sickness(self._stage, self._ledger, self._board, 50).play():
            raise Disappointed(broken)
        await self._look(f"{NEW} well", 50)
        await self._step("canary", 100, self._calls.resume(rollout.id))
        await self._step("promote", 100, self._calls.promote(rollout.id))

    async def _the_old_version_ends(self) -> None:
        """Deregister, wait until no Envoy sends anything there, drain its sidecar, end it."""
        await self._calls.deregister(INSTANCE.format(OLD))
        deadline = asyncio.get_running_loop().time() + ACK_TIMEOUT
        while INSTANCE.format(OLD) in {each.id for each in (await self._calls.explain(SERVICE)).instances}:
            if asyncio.get_running_loop().time() > deadline:
                seen = f"still in {SERVICE}:explain after {ACK_TIMEOUT:g} s"
                raise Disappointed((Broken("v1 stopped", "instance of v1", "gone", seen),))
            await asyncio.sleep(0.05)
        gate = _gate_of(await self._calls.explain(SERVICE))
        await self._stage.end(OLD)
        await self._look(f"{OLD} stopped", 100, gate)

    async def _step(
        self, name: str, weight: int, call: Awaitable[RolloutOut], direction: Direction = Direction.FORWARD
    ) -> RolloutOut:
        """Make one call that changes the weight (percent), wait until it is done, and judge."""
        row = self._board.begin(name, weight)
        clock = asyncio.get_running_loop().time
        began = clock()
        self._ledger.moving(weight * 100, direction)
        rollout = await self._calls.settled(
            await call, patience=ACK_TIMEOUT, tell=lambda seen: row.tell(_gate(seen, clock() - began))
        )
        await self._judge(row, _gate(rollout, clock() - began))
        return rollout

    async def _look(self, name: str, weight: int, gate: Gate | None = None) -> None:
        """Judge a weight that nobody changes."""
        row = self._board.begin(name, weight)
        await self._judge(row, gate or _gate_of(await self._calls.explain(SERVICE)))

    async def _judge(self, row: Row, gate: Gate) -> None:
        row.tell(gate)
        if gate.is_done:
            await asyncio.sleep(WORKERS_GRACE)
        window = self._ledger.moved(LEAST_REQUESTS)
        row.window = window
        if gate.is_done:
            await _filled(window)
        seen = measure(row.title, gate, self._stage.envoys, self._ledger, window)
        broken = judge(seen) if gate.is_done else judge(seen)[:1]
        row.finish(seen, broken)
        self._board.finished(row)
        if broken:
            raise Disappointed(broken)


async def _filled(window: Window) -> None:
    """Return when every request of the window has ended, or after `WINDOW_TIMEOUT`: the verdict tells them apart."""
    deadline = asyncio.get_running_loop().time() + WINDOW_TIMEOUT
    while True:
        if window.is_full or asyncio.get_running_loop().time() > deadline:
            return
        await asyncio.sleep(0.02)


def _gate(rollout: RolloutOut, seconds: float) -> Gate:
    """Return what a rollout's document says of its weight: a phase that is over has been acknowledged."""
    if rollout.gate is None:
        return Gate("waiting", 0, 0, seconds, rollout.reason)
    return Gate(rollout.gate.state, rollout.gate.acked, rollout.gate.live, seconds, rollout.gate.reason)


def _gate_of(service: ExplainOut) -> Gate:
    """Return the same from a service without a rollout: the split that it has."""
    nodes = {node.node for node in service.nodes}
    late = {node.node for node in service.nodes if node.state != "done"}
    return Gate("waiting" if late else "done", len(nodes - late), len(nodes), 0.0, ", ".join(sorted(late)))
