"""A control plane on a real store, running in the test's own loop, and how to talk to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from xds.control.admission import Admitted
from xds.control.clock import SystemClock
from xds.control.plane import ControlPlane
from xds.model.declare import Change, Declaration, Put
from xds.model.instance import Instance
from xds.model.intent import Ref
from xds.model.names import ServiceKey
from xds.model.quota import Quotas
from xds.sources.leases import WheelLeases
from xds.store.sqlite import SqliteStore

WEB = ServiceKey.of("web")


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


@asynccontextmanager
async def two_versions(folder: Path) -> AsyncIterator[ControlPlane]:
    """The same with a service `web` that has an instance of v1, which is stable, and one of v2."""
    async with running_plane(folder) as plane:
        for number, version in enumerate(["v1", "v2"]):
            instance = Instance(f"web-{version}", WEB, "127.0.0.1", {"http": 8080 + number}, version=version)
            await say(plane, Put(instance))
        yield plane


async def say(plane: ControlPlane, change: Change) -> Ref:
    """Declare one change as an operator and return the name of what it is about."""
    return (await plane.declare(Declaration(change, "api:test", operator=True))).name
