"""The inbox: the only way in to the loop, for callers that wait and for observations that do not.

Declarations keep their order and are answered; observations are merged. The loop takes everything that has arrived
at once, which is what makes a group commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from xds.control.hold import Decision, Keep
from xds.control.ports import Receipt
from xds.model.declare import Declaration
from xds.model.problems import FairleadError
from xds.model.signal import Signal
from xds.translate.outputs import FilterSpec

Outcome = Receipt | FairleadError


@dataclass(slots=True)
class Submission:
    """Some declarations of one caller, and where their outcomes go, in the same order."""

    declarations: Sequence[Declaration]
    answer: asyncio.Future[list[Outcome]]


@dataclass(slots=True)
class Arrivals:
    """Everything that came in since the last call of `take`."""

    submissions: list[Submission] = field(default_factory=list)
    words: dict[tuple[str, str], Signal | None] = field(default_factory=dict)
    filter: FilterSpec | None = None
    decision: Decision | None = None


class Inbox:
    """A mailbox of one event loop; it has no bound of its own, because every submitter waits for its answer."""

    def __init__(self) -> None:
        """Start empty."""
        self._arrivals = Arrivals()
        self._something = asyncio.Event()

    async def submit(self, declarations: Sequence[Declaration]) -> list[Outcome]:
        """Return what became of each declaration, once the accepted ones are durable."""
        answer: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self._arrivals.submissions.append(Submission(declarations, answer))
        self._something.set()
        return await answer

    def observe(self, source: str, seen: Mapping[str, Signal | None]) -> None:
        """Note what a source saw of instances; its last word about each counts, None takes it back."""
        self._arrivals.words.update({(source, member): signal for member, signal in seen.items()})
        self._something.set()

    def use(self, spec: FilterSpec) -> None:
        """Ask for another filter; the last one asked for counts."""
        self._arrivals.filter = spec
        self._something.set()

    async def decide(self, keep: Keep, actor: str, reason: str) -> int:
        """Return the revision of an operator's decision about a hold, once it is durable; Conflict, Unavailable."""
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._arrivals.decision = Decision(keep, actor, reason, answer)
        self._something.set()
        return await answer

    def nudge(self) -> None:
        """Wake the loop because something that it reads elsewhere (the roster, the profiles) has changed."""
        self._something.set()

    async def wait(self, at_most: float | None) -> None:
        """Return when something arrived, or after `at_most` seconds (None: no limit)."""
        try:
            async with asyncio.timeout(at_most):
                await self._something.wait()
        except TimeoutError:
            return

    def take(self) -> Arrivals:
        """Return everything that has arrived, and forget it."""
        taken, self._arrivals = self._arrivals, Arrivals()
        self._something.clear()
        return taken
