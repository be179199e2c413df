"""A control plane on a real store, running in the test's own loop, and how to talk to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from xds.control.admission import Admitted
from xds.control.clock import SystemClock
from xds.control.plane import ControlPlane
from xds.model.declare import Change, Declaration
from xds.model.intent import Ref
from xds.model.quota import Quotas
from xds.sources.leases import WheelLeases
from xds.store.sqlite import SqliteStore


@asynccontextmanager
async def running_plane(
    folder: Path, *, last_good: bool = False, quotas: Quotas = Quotas()
) -> AsyncIterator[ControlPlane]:
    """Run a control plane whose database lies in `folder` until the block ends."""
    clock = SystemClock()
    store = SqliteStore(folder / "fairlead.db", last_good=folder / "last-good" if last_good else None)
    plane = ControlPlane(store=store, clock=clock, leases=WheelLeases(clock), filter=Admitted(None), quotas=quotas)
    try:
        await plane.start()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(plane.run())
            yield plane
            running.cancel()
    finally:
        await store.close()


async def say(plane: ControlPlane, change: Change) -> Ref:
    """Declare one change as an operator and return the name of what it is about."""
    return (await plane.declare(Declaration(change, "api:test", operator=True))).name
