"""The whole process as `serve` makes it: how it starts, is told to read again, fails and ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.harness.ports import free_port
from tests.harness.waiting import until
from xds.app import Serving, serve
from xds.config import Settings, built_in_filter
from xds.control.publisher import Publisher
from xds.model.problems import Unavailable
from xds.store.sqlite import SqliteStore


class Place:
    """Where a control plane runs: its folder and its ports."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.api, self.ads = folder, free_port(), free_port()

    def settings(self, **flags: str) -> Settings:
        where = {"data_dir": str(self.folder), "api": f"127.0.0.1:{self.api}", "ads": f"127.0.0.1:{self.ads}"}
        return Settings.read({}, {**where, "filter": "none", **flags})

    async def is_left_free(self) -> None:
        """Nobody holds a port or the database."""
        for port in (self.api, self.ads):
            with socket.create_server(("127.0.0.1", port)):
                pass
        await SqliteStore(self.folder / "fairlead.db").close()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def tell(number: signal.Signals) -> Callable[[Serving], None]:
    """Send this process a signal as soon as the control plane serves."""
    return lambda _: os.kill(os.getpid(), number)


async def test_a_start_that_fails_at_the_apis_port_gives_back_the_other_port_and_the_database(place: Place) -> None:
    with socket.create_server(("127.0.0.1", place.api)), pytest.raises(ExceptionGroup) as raised:
        await serve(place.settings())
    assert raised.group_contains(Unavailable, match="is in use by another program")
    await place.is_left_free()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_to_stop_ends_everything_in_order(place: Place, number: signal.Signals) -> None:
    await serve(place.settings(), tell(number))
    await place.is_left_free()


async def test_a_loop_that_fails_ends_the_process_with_its_reason(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing known makes it fail, so the test does: a process without a loop would serve what is out of date."""

    serves = asyncio.Event()

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the loop is broken")

    async def register() -> None:
        await serves.wait()
        monkeypatch.setattr(Publisher, "publish", fail)
        async with httpx.AsyncClient(trust_env=False) as client:
            document = {"service": "web", "address": "127.0.0.1", "ports": {"http": 8080}}
            at = f"http://127.0.0.1:{place.api}/v1/instances/web-1"
            with contextlib.suppress(httpx.TransportError):  # the answer is the end of the process
                await client.put(at, json=document)

    async def run() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve(place.settings(), lambda _: serves.set()))
            tasks.create_task(register())

    with pytest.raises(ExceptionGroup) as raised:
        await run()
    assert raised.group_contains(RuntimeError, match="the loop is broken")
    await place.is_left_free()


async def test_at_sighup_the_filter_is_read_again_and_one_that_is_refused_changes_nothing(
    place: Place, tmp_path: Path
) -> None:
    """Sent while the control plane still starts, it is neither lost nor the end of the process."""
    configuration = tmp_path / "filter.json"
    configuration.write_text("{}")
    settings = place.settings(filter=str(built_in_filter()), filter_config=str(configuration))
    seen: list[str] = []

    async def operate() -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        async with httpx.AsyncClient(trust_env=False, base_url=f"http://127.0.0.1:{place.api}") as client:

            async def problems() -> list[str] | None:
                try:
                    answer = await client.get("/v1/problems")
                    if answer.status_code == 503:  # it still loads
                        return None
                    return [item["message"] for item in answer.json()["items"]]
                except httpx.TransportError:
                    return None

            async def none() -> bool:
                return await problems() == []

            await until(none, timeout=30)
            configuration.write_text('{"header": 7}')
            os.kill(os.getpid(), signal.SIGHUP)
            seen.extend(await until(problems, timeout=30))
            configuration.write_text("{}")
            os.kill(os.getpid(), signal.SIGHUP)
            await until(none, timeout=30)
        os.kill(os.getpid(), signal.SIGTERM)

    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(serve(settings))
        await asyncio.sleep(0)  # its first step: from here on it listens to signals
        assert not serving.done()
        tasks.create_task(operate())
    (message,) = seen
    assert "/header" in message
    assert "stays" in message
    await place.is_left_free()
