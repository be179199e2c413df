"""Long polls: an answer that waits until something has changed, not longer than asked nor than the server lives."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request

from xds.control.plane import ControlPlane

LOOK_UP = 0.5  # seconds after which a watcher sees that the server wants to stop


@dataclass(frozen=True, slots=True)
class Watch:
    """What a caller has seen (a change counter; None does not wait), and how many seconds it waits for more."""

    request: Request
    wait: Annotated[int | None, Query(ge=0, description="`change` of the answer before: wait for a later one")] = None
    timeout: Annotated[float, Query(ge=0, le=60, description="wait for so many seconds at most")] = 10.0

    async def until_changed(self, plane: ControlPlane) -> None:
        """Return when something has changed since, or when there is no more use in waiting."""
        if self.wait is None or self.wait > plane.changes:  # a higher number is from before a restart
            return
        clock = asyncio.get_running_loop().time
        deadline = clock() + self.timeout
        while not self.request.app.state.stopping and (left := deadline - clock()) > 0:
            try:
                async with asyncio.timeout(min(left, LOOK_UP)):
                    await plane.wait_change(self.wait)
            except TimeoutError:
                continue
            return


WatchOf = Annotated[Watch, Depends()]
