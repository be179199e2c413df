"""One agent and several engines: each costs only its own containers (rows M01, M28).

The engines say what the test tells them, over sockets; the control plane and the agent are whole.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.feature.api.running import serving
from tests.feature.control.plane_on_disk import running_plane
from tests.harness.said_engine import SaidEngine
from tests.harness.waiting import until
from tests.unit.docker.engine_said import CART, WEB, inspection
from xds.agent.run import Agent
from xds.agent.settings import AgentSettings
from xds.api.settings import ApiSettings
from xds.control.plane import ControlPlane
from xds.model.problems import InvalidInput
from xds.sources.docker import containers as containers_module
from xds.sources.docker import engine as engine_module
from xds.sources.docker import follow

MORE = "c" * 64


def container(identity: str, name: str = "") -> dict[str, Any]:
    """One that is believed as soon as it runs: nobody listens at its address."""
    labels = {"fairlead.service": "web", "fairlead.port": "8080", "fairlead.health.tcp": "false"}
    address = f"172.17.0.{int(identity[0], 16)}"
    return {**inspection(identity, labels, networks={"bridge": address}, Pid=0), "Name": f"/{name or identity[:12]}"}


class House:
    """A control plane and an agent with two engines."""

    def __init__(self, plane: ControlPlane, url: str, folder: Path) -> None:
        self.plane = plane
        self.one, self.two = SaidEngine(container(WEB)), SaidEngine(container(CART))
        self.places = [f"unix://{folder}/{name}.sock" for name in ("one", "two")]
        self.settings = AgentSettings(docker=tuple(self.places), id="here", data_dir=folder / "agent", ttl=60.0)
        self.reread: Callable[[], AgentSettings] = lambda: self.settings
        self.asked = asyncio.Event()
        self._url = url
        self.agent = self.another()

    def another(self) -> Agent:
        """An agent as it would be started now."""
        return Agent(self.settings, self._url, "", self._reread)

    def _reread(self) -> AgentSettings:
        return self.reread()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Agent]:
        """Run the agent until the block ends, and leave what it registered."""
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(self.agent.run(self.asked))
            try:
                yield self.agent
            finally:
                task.cancel()

    async def registered(self, *identities: str) -> None:
        wanted = {f"web-{each[:12]}" for each in identities}
        await until(lambda: set(self.plane.intent.instances) == wanted, timeout=10, what=f"{wanted} are registered")

    async def says(self, words: str, *, ready: bool) -> None:
        def told() -> bool:
            status = self.agent.status()
            return status["ready"] is ready and words in str(status["engines"])

        await until(told, timeout=10, what=f"{words!r}, ready {ready}")


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(follow, "FIRST_PAUSE", 0.02)
    async with running_plane(tmp_path) as plane, serving(plane, ApiSettings(port=0)) as at:
        yield House(plane, f"http://{at}", tmp_path)


def path(url: str) -> Path:
    return Path(url.removeprefix("unix://"))


async def test_an_engine_that_goes_away_costs_readiness_and_nobody_who_runs_there_or_elsewhere(house: House) -> None:
    async with house.one.at(path(house.places[0])), house.running():
        async with house.two.at(path(house.places[1])):
            await house.registered(WEB, CART)
            await house.says("followed", ready=True)
        await house.says("No such file", ready=False)
        house.one.containers[MORE] = container(MORE)
        house.one.says("start", MORE)
        await house.registered(WEB, CART, MORE)
        house.two.containers.clear()
        async with house.two.at(path(house.places[1])):
            await house.registered(WEB, MORE)
            await house.says("followed", ready=True)


async def test_d1_it_follows_before_it_lists_and_hears_twice_what_a_cut_may_have_cost(house: House) -> None:
    async with house.one.at(path(house.places[0])), house.two.at(path(house.places[1])), house.running():
        await house.registered(WEB, CART)
        house.one.containers[MORE] = container(MORE)
        house.one.says("start", MORE, at=100.0)
        await house.registered(WEB, CART, MORE)
        began = len(house.one.asked)
        del house.one.containers[MORE]  # and its end is told to nobody
        await house.one.cut()
        await house.registered(WEB, CART)
        for asked in (house.one.asked[:began], house.one.asked[began:]):
            kinds = [each.partition("?")[0].rpartition("/")[2] for each in asked if "_ping" not in each]
            assert kinds[:4] == ["version", "events", "json", "json"], "the list, then everybody"
        assert "since=98.0" in house.one.asked[began + 1]


async def test_an_agent_that_finds_one_engine_away_still_knows_who_ended_on_the_other(house: House) -> None:
    async with house.one.at(path(house.places[0])):
        house.one.containers[MORE] = container(MORE)
        async with house.two.at(path(house.places[1])), house.running():
            await house.registered(WEB, CART, MORE)
        del house.one.containers[MORE]
        house.agent = house.another()
        async with house.running():
            await house.registered(WEB, CART)


async def test_d2_a_container_that_cannot_be_inspected_outlives_a_restart_of_the_agent(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers_module, "RETRY", 0.1)
    async with house.one.at(path(house.places[0])), house.two.at(path(house.places[1])):
        house.one.containers[MORE] = container(MORE)
        async with house.running():
            await house.registered(WEB, CART, MORE)
        house.one.odd = {MORE}
        del house.one.containers[WEB]
        house.agent = house.another()
        async with house.running():
            await house.registered(CART, MORE)
            del house.one.containers[MORE]
            house.one.odd.clear()
            await house.registered(CART)


async def test_an_engine_that_takes_questions_and_answers_none_is_away(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing happens it says nothing either: it is asked whether it is there."""
    monkeypatch.setattr(follow, "PING", 0.05)
    monkeypatch.setattr(engine_module, "TIMEOUT", 0.3)
    house.agent = house.another()
    async with house.one.at(path(house.places[0])), house.two.at(path(house.places[1])), house.running():
        await house.registered(WEB, CART)
        await house.says("followed", ready=True)
        house.two.dumb = True
        await house.says("ReadTimeout", ready=False)
        await house.registered(WEB, CART)
        house.two.dumb = False
        await house.says("followed", ready=True)


async def test_settings_that_are_read_again_take_an_engine_out_and_what_cannot_be_used_changes_nothing(
    house: House,
) -> None:
    def refused() -> AgentSettings:
        raise InvalidInput("no", pointer="/docker")

    async with house.one.at(path(house.places[0])), house.two.at(path(house.places[1])), house.running():
        await house.registered(WEB, CART)
        before = len(house.one.asked)
        for odd in (refused, lambda: replace(house.settings, docker=("tcp://10.0.0.7",)), lambda: house.settings):
            house.reread = odd
            house.asked.set()
            await until(lambda: not house.asked.is_set(), timeout=5)
        await house.registered(WEB, CART)
        assert len(house.one.asked) == before, "it is followed as it was"
        house.reread = lambda: replace(house.settings, docker=(house.places[0],))
        house.asked.set()
        await house.registered(WEB)
        assert house.agent.status()["engines"] == {house.places[0]: "followed"}


async def test_containers_of_one_name_on_two_engines_are_told_apart(house: House) -> None:
    house.one.containers[WEB], house.two.containers[CART] = container(WEB, "web"), container(CART, "web")
    async with house.one.at(path(house.places[0])), house.two.at(path(house.places[1])), house.running():
        await house.registered(WEB, CART)
        found: Any = house.agent.status()["containers"]
        assert set(found) == {"web", f"web ({house.places[1]})"}
