"""A control plane with a real store in this process, and its API: in memory, or on a socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from xds.api.app import create_app
from xds.api.server import ApiServer
from xds.api.settings import ApiSettings
from xds.control.clock import SystemClock
from xds.control.plane import ControlPlane
from xds.sources.leases import HeapLeases
from xds.store.sqlite import SqliteStore
from xds.translate.build import Builder


@contextlib.asynccontextmanager
async def control_plane(path: Path) -> AsyncIterator[ControlPlane]:
    """A control plane on the database at `path`, ended with its store when the block ends."""
    clock = SystemClock()
    store = SqliteStore(path)
    plane = ControlPlane(store=store, clock=clock, leases=HeapLeases(clock), builder=Builder(None))
    await plane.start()
    try:
        async with asyncio.TaskGroup() as tasks:
            loop = tasks.create_task(plane.run())
            yield plane
            loop.cancel()
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def serving(plane: ControlPlane, settings: ApiSettings) -> AsyncIterator[tuple[str, int]]:
    """The API on a real socket: host and port."""
    server = ApiServer(plane, settings)
    at = await server.bind()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve())
        try:
            yield at.host, at.port
        finally:
            await server.stop()


@contextlib.asynccontextmanager
async def client_of(plane: ControlPlane, settings: ApiSettings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application itself, without a socket; it looks like one from this machine."""
    transport = httpx.ASGITransport(create_app(plane, settings), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
        yield client
