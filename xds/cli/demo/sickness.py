"""The act in which the new version falls sick half way, and the gateway's filter cuts it off by itself.

Nobody calls the control plane: what is seen is what the gateway's Envoy says of its own breaker (its admin page), and
what the users got. Their few errors are counted apart from those that no step may have.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from xds.cli.demo.board import Board
from xds.cli.demo.ledger import Ledger
from xds.cli.demo.stage import GATEWAY, NEW, SERVICE, Stage
from xds.cli.demo.verdict import Broken
from xds.model.breaker import BreakerState

CLUSTER: Final = f"{SERVICE}/{NEW}"
MOST_ERRORS: Final = 25
"""Five in a row open the breaker; beside them the requests that were in flight then, and a probe or two."""
NOTICED_WITHIN: Final = 5.0  # seconds
WELL_WITHIN: Final = 15.0  # seconds: what is left of the time open, three probes, and the ramp
SICK_FOR: Final = 1.5  # seconds after it was cut off: long enough for a probe that finds it sick


class Sickness:
    """One run of the act. `broken` has what did not hold, `row` what is shown of it."""

    def __init__(self, stage: Stage, ledger: Ledger, board: Board, weight: int) -> None:
        """The new version has `weight` percent of the users, and every Envoy knows."""
        self._stage = stage
        self._ledger = ledger
        self._row = board.begin(f"{NEW} sick", weight)
        self._board = board

    async def play(self) -> tuple[Broken, ...]:
        """Make the new version answer 500, let it be cut off, make it well, let it in again; return what broke."""
        self._row.window = self._ledger.sickens()
        self._stage.sicken(NEW)
        cut_off = await self._seen(BreakerState.OPEN, NOTICED_WITHIN)
        errors = self._ledger.suffered.number
        if cut_off is None:
            return self._ends("state of its breaker", "open", "closed all the time")
        self._row.note = f"cut off by {GATEWAY} itself after {errors} errors, {1000 * cut_off:.0f} ms"
        await asyncio.sleep(SICK_FOR)
        self._stage.heal(NEW)
        let_in = await self._seen(BreakerState.CLOSED, WELL_WITHIN)
        if let_in is None:
            return self._ends("state of its breaker", "closed", f"not within {WELL_WITHIN:g} s of being well")
        suffered = self._ledger.suffered
        self._row.note += f"; {suffered.number} errors in all; well again, let in by and by in {let_in:.1f} s"
        self._ledger.recovers()
        if suffered.number > MOST_ERRORS:
            return self._ends("errors that users saw", f"at most {MOST_ERRORS}", str(suffered))
        return self._ends()

    def _ends(self, *expectation: str) -> tuple[Broken, ...]:
        broken = (Broken(self._row.title, *expectation),) if expectation else ()
        self._row.close(broken)
        self._board.finished(self._row)
        return broken

    async def _seen(self, state: BreakerState, patience: float) -> float | None:
        """Return after how many seconds the gateway's breaker was in this state; None if not within `patience`."""
        clock: Callable[[], float] = asyncio.get_running_loop().time
        began = clock()
        while clock() - began < patience:
            if await self._stage.calls.breaker(self._stage.admin_port, CLUSTER) is state:
                return clock() - began
            await asyncio.sleep(0.01)
        return None
