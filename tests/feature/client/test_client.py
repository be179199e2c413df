"""The client against the real API: register, stay registered, come back, leave."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable

import httpx
import pytest

from tests.feature.api.running import serving, telemetry_of
from tests.harness.waiting import until
from xds.api.app import create_app
from xds.api.settings import ApiSettings
from xds.client import (
    AsyncFairlead,
    Fairlead,
    Invalid,
    Registration,
    State,
    Unauthenticated,
    Unreachable,
)
from xds.control.plane import ControlPlane
from xds.model.declare import Declaration, Delete
from xds.model.instance import Instance
from xds.model.intent import Kind, Ref

WEB = "web-127-0-0-1-8080"


def asgi(plane: ControlPlane, token: str | None = None) -> httpx.ASGITransport:
    return httpx.ASGITransport(create_app(plane, ApiSettings(token=token), telemetry_of(plane)))


def client(plane: ControlPlane, token: str = "") -> AsyncFairlead:
    return AsyncFairlead("http://127.0.0.1:15080", token=token, transport=asgi(plane, token or None))


def remaining(plane: ControlPlane, name: str = WEB) -> float:
    lease = plane.lease(name)
    return lease.expires_in if lease else 0.0


async def test_a_registration_is_there_until_the_block_ends(plane: ControlPlane) -> None:
    async with client(plane, token="secret") as fairlead:
        found = await fairlead.register("web", 8080, version="v1", labels={"team": "shop"}, zone="eu-1a")
        assert (found.id, found.state, found.epoch) == (WEB, State.REGISTERED, 1)
        instance = plane.intent.instances[WEB]
        assert (instance.address, instance.version, instance.ttl) == ("127.0.0.1", "v1", 10.0)
        assert instance.labels == {"team": "shop"}
    assert found.state is State.GONE
    assert not plane.intent.instances


async def test_m68_leases_are_renewed_without_being_asked(plane: ControlPlane) -> None:
    async with client(plane) as fairlead:
        found = await fairlead.register("web", 8080, ttl=1.0)
        await fairlead.register("web", 8081, ttl=1.0)
        before = found.seq
        await until(lambda: found.seq >= before + 2, what="two renewals")
        assert remaining(plane) > 0
        assert remaining(plane, "web-127-0-0-1-8081") > 0


async def test_r4_whoever_was_forgotten_registers_again(plane: ControlPlane) -> None:
    async with client(plane) as fairlead:
        found = await fairlead.register("web", 8080, ttl=1.0)
        await plane.declare(Declaration(Delete(Ref(Kind.INSTANCE, WEB)), "api:test", operator=True))
        await until(lambda: WEB in plane.intent.instances, what="it is back")
        assert plane.intent.instances[WEB].epoch == found.epoch


async def test_r3_a_new_process_takes_the_place_of_the_old_one_and_the_old_one_hears_of_it(plane: ControlPlane) -> None:
    """M67: the id is the same, `start` differs: a new epoch, and the last words of the old process are refused."""
    async with client(plane) as old, client(plane) as new:
        first = await old.register("web", 8080, ttl=1.0)
        second = await new._http.post(  # as another process would say it
            "/v1/instances", json={"service": "web", "address": "127.0.0.1", "port": 8080, "start": "another"}
        )
        assert second.json()["epoch"] > first.epoch
        await until(lambda: first.state is State.LOST, what="the old one hears that it was replaced")
        await old.deregister(first)
        assert plane.intent.instances[WEB].start == "another"


async def test_changes_are_said_and_refusals_leave_what_was(plane: ControlPlane) -> None:
    async with client(plane) as fairlead:
        found = await fairlead.register("web", 8080)
        await fairlead.update(found, weight=7)
        assert plane.intent.instances[WEB].weight == 7
        with pytest.raises(Invalid) as caught:
            await fairlead.update(found, weight=-1)
        assert caught.value.pointer == "/weight"
        assert (plane.intent.instances[WEB].weight, found.state) == (7, State.REGISTERED)
        await fairlead.deregister(found)
        assert WEB not in plane.intent.instances


async def test_a_refusal_of_the_first_word_is_raised_with_its_class(plane: ControlPlane) -> None:
    async with client(plane) as fairlead:
        with pytest.raises(Invalid):
            await fairlead.register("web", 8080, ttl=0.1)
    async with AsyncFairlead("http://127.0.0.1:1", transport=asgi(plane, "secret")) as stranger:
        with pytest.raises(Unauthenticated):
            await stranger.register("web", 8080)


async def test_a_control_plane_that_is_away_is_no_error_and_is_told_when_it_returns(
    plane: ControlPlane, free_port: Callable[[], int]
) -> None:
    port = free_port()
    async with AsyncFairlead(f"http://127.0.0.1:{port}") as fairlead:
        found = await fairlead.register("web", 8080, ttl=2.0)
        assert found.state is State.PENDING
        with pytest.raises(Unreachable):
            await fairlead.wait(found, 0.1)
        async with serving(plane, ApiSettings(port=port)):
            await fairlead.wait(found, 20)
            assert isinstance(plane.intent.instances[WEB], Instance)
            await fairlead.deregister(found)


async def test_the_client_for_threads_does_the_same(plane: ControlPlane) -> None:
    def use(url: str) -> tuple[Registration, int]:
        with Fairlead(url) as fairlead:
            found = fairlead.register("web", 8080, ttl=1.0)
            fairlead.register("web", ports={"http": 8081}, ttl=1.0)
            fairlead.update(found, weight=3)
            assert plane.intent.instances[WEB].weight == 3
            start = found.seq
            fairlead.wait(found, 5)
            for _ in range(500):
                if found.seq >= start + 2:
                    break
                asyncio.run(asyncio.sleep(0.02))
            assert len(plane.intent.instances) == 2
            return found, found.seq - start

    async with serving(plane, ApiSettings(port=0)) as at:
        found, renewals = await asyncio.to_thread(use, f"http://{at}")
    assert renewals >= 2
    assert found.state is State.GONE
    assert not plane.intent.instances


PROGRAM = """
import sys, time
from xds.client import Fairlead, exit_on_sigterm
exit_on_sigterm()
fairlead = Fairlead(sys.argv[1])
fairlead.register("web", 8080)
print("up", flush=True)
time.sleep(60)
"""


async def test_a_program_that_is_told_to_stop_deregisters_first(plane: ControlPlane) -> None:
    async with serving(plane, ApiSettings(port=0)) as at:
        with subprocess.Popen([sys.executable, "-c", PROGRAM, f"http://{at}"], stdout=subprocess.PIPE) as program:
            await until(lambda: WEB in plane.intent.instances, what="it is registered")
            assert program.stdout is not None
            assert await asyncio.to_thread(program.stdout.readline) == b"up\n"
            program.terminate()
            assert await asyncio.to_thread(program.wait, 20) == 143
    assert not plane.intent.instances
