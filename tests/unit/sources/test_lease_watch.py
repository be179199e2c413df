"""The passes: what they declare, observe and raise, and that being held up is noticed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest

from tests.harness.waiting import until
from tests.unit.sources.house import House
from xds.control.ports import Lease
from xds.model.alarm import Alarm
from xds.model.declare import Declaration, Delete
from xds.model.health import Health
from xds.model.intent import Kind, Ref
from xds.model.problems import Unavailable
from xds.model.signal import Signal
from xds.sources.lease_watch import Outlets, watch
from xds.sources.leases import LATE


class Heard:
    """What the passes said; removals are refused, as by a store that is away."""

    def __init__(self) -> None:
        self.submitted: list[Declaration] = []
        self.words: dict[str, Signal | None] = {}
        self.alarms: list[Alarm] = []

    async def submit(self, declarations: Sequence[Declaration]) -> list[Unavailable]:
        self.submitted.extend(declarations)
        return [Unavailable("the store is away") for _ in declarations]

    def observe(self, source: str, seen: Mapping[str, Signal | None]) -> None:
        assert source == "lease"
        self.words.update(seen)

    def alarm(self, source: str, alarms: Iterable[Alarm]) -> None:
        assert source == "lease"
        self.alarms = list(alarms)


@asynccontextmanager
async def watched(house: House) -> AsyncIterator[Heard]:
    """Passes are made while the block runs."""
    heard = Heard()
    outlets = Outlets(heard.submit, heard.observe, heard.alarm)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(watch(house.leases, house.intent, house.time, outlets))
        yield heard
        task.cancel()


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr("xds.sources.leases.PASS", 0.01)
    return House()


@pytest.fixture
def never_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is moved by hand jumps as if the passes had been held up."""
    monkeypatch.setattr("xds.sources.leases.LATE", 1e9)


async def test_the_watch_removes_by_declaration_and_tries_again(house: House, never_late: None) -> None:
    house.register("a", ttl=2.0)
    house.register("b", ttl=None)
    async with watched(house) as heard:
        house.time.now += 2.0
        await until(lambda: len(heard.submitted) >= 1, what="a removal")
        house.time.now += 0.02
        await until(lambda: len(heard.submitted) >= 2, what="the removal again")
    removal = Delete(Ref(Kind.INSTANCE, "a"))
    assert set(heard.submitted) == {Declaration(removal, "lease", "the lease ran out", operator=True, absence=True)}


async def test_the_watch_observes_and_raises_what_it_holds_and_takes_both_back(house: House, never_late: None) -> None:
    house.register("a", "b", ttl=2.0)
    async with watched(house) as heard:
        house.time.now += 2.0
        await until(lambda: len(heard.words) == 2, what="both are marked")
        assert {word.health for word in heard.words.values() if word} == {Health.UNHEALTHY}
        assert [alarm.kind for alarm in heard.alarms] == ["hold"]
        for name in ("a", "b"):
            house.leases.renew(name)
        await until(lambda: all(word is None for word in heard.words.values()), what="both are taken back")
        await until(lambda: not heard.alarms, what="the alarm is over")
    assert not heard.submitted


async def test_r2_a_watch_that_was_held_up_forgives(house: House) -> None:
    house.register("a", "b", ttl=2.0)
    async with watched(house) as heard:
        await asyncio.sleep(0)  # the first pass
        house.time.now += LATE + 1.5
        await until(lambda: house.leases.remaining("a") == Lease(2.0), what="a full lease")
    assert not heard.submitted
    assert not heard.words
