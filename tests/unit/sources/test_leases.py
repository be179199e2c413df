"""Leases on a clock that stands still until it is moved: who lapses, how many at once, and what is forgiven."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from tests.harness.declared import WEB, instance
from tests.harness.waiting import until
from xds.control.health import HealthBoard
from xds.control.ports import Entry, Lease
from xds.model.declare import Declaration, Delete
from xds.model.health import Health
from xds.model.intent import Declared, Intent, Kind, Ref, ref
from xds.model.names import ServiceKey
from xds.model.problems import Unavailable
from xds.model.signal import Signal
from xds.sources.leases import LAPSED, LATE, PASS, SPARE, HeapLeases, watch

TTL = 10.0


class Time:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


class House:
    """Leases over an intent that follows what they decide."""

    def __init__(self) -> None:
        self.time = Time()
        self.intent = Intent()
        self.board = HealthBoard(self.intent)
        self.leases = HeapLeases(self.time)

    def put(self, *objects: Declared) -> None:
        self._commit({ref(each): each for each in objects})

    def register(self, *names: str, ttl: float | None = TTL, service: ServiceKey = WEB) -> None:
        self.put(*[instance(name, service=service, ttl=ttl) for name in names])

    def remove(self, *names: str) -> None:
        self._commit({Ref(Kind.INSTANCE, name): None for name in names})

    def after(self, seconds: float, *, late: bool = False) -> tuple[list[str], Mapping[str, Signal | None]]:
        """Let time pass and make a pass; whom it removes is removed."""
        self.time.now += seconds
        removed, health = self.leases.lapse(self.intent, late=late)
        self.note("lease", health)
        self.remove(*removed)
        return removed, health

    def note(self, source: str, said: Mapping[str, Signal | None]) -> None:
        """Hear what a source says, and believe it."""
        self.intent.observe_health(
            self.board.hear({(source, member): signal for member, signal in said.items()}, self.time.now)
        )

    def _commit(self, writes: Mapping[Ref, Declared | None]) -> None:
        entries = [Entry(name, self.intent.get(name), after, "api:test") for name, after in writes.items()]
        self.intent.commit(writes, self.intent.revision + 1)
        self.leases.committed(entries)


@pytest.fixture
def house() -> House:
    return House()


def test_whoever_says_nothing_for_its_ttl_goes(house: House) -> None:
    house.register("a", "b")
    assert house.after(TTL - 0.1) == ([], {})
    house.leases.renew("b")
    assert house.after(0.1) == (["a"], {})
    assert "a" not in house.intent.instances


def test_a_renewal_is_a_full_lease_from_now(house: House) -> None:
    house.register("a")
    house.time.now += 7
    assert house.leases.remaining("a") == Lease(3.0)
    assert house.leases.renew("a") == Lease(TTL)
    assert house.leases.remaining("a") == Lease(TTL)


def test_a_renewal_creates_nothing(house: House) -> None:
    house.register("forever", ttl=None)
    for name in ("ghost", "forever"):
        assert house.leases.renew(name) is None
        assert house.leases.remaining(name) is None


def test_an_instance_without_a_ttl_stays_for_ever(house: House) -> None:
    house.register("a", "b", ttl=None)
    assert house.after(1e6) == ([], {})


def test_any_change_of_an_instance_is_a_sign_of_life(house: House) -> None:
    house.register("a", "b")
    house.after(8)
    house.put(instance("a", ttl=TTL, weight=1))
    assert house.after(8)[0] == ["b"]


def test_the_last_instance_of_a_service_is_marked_and_stays(house: House) -> None:
    house.register("a", "b")
    house.register("alone", service=ServiceKey("default", "shop"))
    assert house.after(TTL) == (["a"], {"b": LAPSED, "alone": LAPSED})
    for _ in range(5):
        assert house.after(PASS) == ([], {})
    assert set(house.intent.instances) == {"b", "alone"}


@pytest.mark.parametrize(("size", "share"), [(2, 1), (6, 1), (7, 1), (13, 1), (14, 2), (20, 3), (100, 15)])
def test_a_pass_removes_at_most_its_share_of_a_service(house: House, size: int, share: int) -> None:
    """At most max(1, 15 %) of a service per pass; the rest is marked and waits its turn."""
    house.register(*[f"i{at:03}" for at in range(size)])
    removed, health = house.after(TTL)
    assert len(removed) == share
    assert dict(health) == {f"i{at:03}": LAPSED for at in range(share, size)}


def test_one_service_does_not_use_up_the_share_of_another(house: House) -> None:
    house.register("a", "b")
    house.register("c", "d", service=ServiceKey("default", "shop"))
    assert sorted(house.after(TTL)[0]) == ["a", "c"]


def test_a_service_that_is_dead_shrinks_to_its_last_instance_pass_by_pass(house: House) -> None:
    house.register(*[f"i{at}" for at in range(40)])
    house.after(TTL)
    passes = 0
    while len(house.intent.instances) > 1:
        house.after(PASS)
        passes += 1
        assert passes < 40
    assert house.after(PASS) == ([], {})


def test_who_was_marked_and_speaks_again_is_healthy_again(house: House) -> None:
    house.register("a")
    house.after(TTL)
    assert house.intent.health("a") is Health.UNHEALTHY
    house.leases.renew("a")
    assert house.after(PASS) == ([], {"a": None})
    assert house.after(PASS) == ([], {})
    assert house.after(TTL)[1] == {"a": LAPSED}


def test_who_was_marked_and_gives_up_its_lease_is_healthy_again(house: House) -> None:
    house.register("a")
    house.after(TTL)
    house.register("a", ttl=None)
    assert house.after(PASS) == ([], {"a": None})


def test_who_was_marked_and_then_removed_is_forgotten(house: House) -> None:
    house.register("a", "b")
    house.after(TTL)
    house.remove("b")
    assert house.after(PASS) == ([], {})


def test_a_removal_that_was_not_committed_is_tried_again(house: House) -> None:
    house.register("a", "b")
    house.time.now += TTL
    assert house.leases.lapse(house.intent, late=False)[0] == ["a"]
    assert house.after(PASS)[0] == ["a"]


def test_a_late_pass_gives_everybody_a_full_lease(house: House) -> None:
    """The control plane was stopped: nobody could be heard, neither those that lapsed nor those that are about to."""
    house.register("lapsed")
    house.register("about-to", ttl=TTL + 20.5)
    assert house.after(TTL + 20, late=True) == ([], {})
    assert house.leases.remaining("lapsed") == Lease(TTL)
    assert house.leases.remaining("about-to") == Lease(TTL + 20.5)
    assert house.after(TTL - 0.1) == ([], {})
    assert house.after(0.1)[0] == ["lapsed"]


def test_a_late_pass_does_not_revive_who_was_silent_before(house: House) -> None:
    house.register("a")
    house.after(TTL)
    assert house.after(60, late=True) == ([], {})
    assert house.intent.health("a") is Health.UNHEALTHY
    house.leases.renew("a")
    assert house.after(PASS) == ([], {"a": None})


def test_a_shorter_ttl_counts_at_once(house: House) -> None:
    house.register("a", "b", ttl=3600.0)
    house.register("a", ttl=2.0)
    assert house.after(2)[0] == ["a"]


def test_renewals_leave_one_entry_per_lease_in_the_heap(house: House) -> None:
    """A lease of an hour renewed every second would otherwise leave 3,600 entries per instance."""
    names = [f"i{at}" for at in range(50)]
    house.register(*names, ttl=3600.0)
    for _ in range(200):
        house.time.now += 30
        for name in names:
            house.leases.renew(name)
        house.after(0)
    assert len(house.leases._heap) == len(names)


def test_the_heap_forgets_those_that_came_and_went(house: House) -> None:
    for at in range(5 * SPARE):
        house.register(f"i{at}", ttl=3600.0)
        house.remove(f"i{at}")
    assert len(house.leases._heap) <= SPARE + 2
    assert len(house.leases._due) <= SPARE + 2


def test_services_and_routes_have_no_leases(house: House) -> None:
    house.leases.committed([Entry(Ref(Kind.SERVICE, "default/web"), None, None, "api:test")])
    assert house.after(TTL) == ([], {})


@asynccontextmanager
async def watched(house: House, submitted: list[Declaration]) -> AsyncIterator[None]:
    """Passes are made while the block runs; what they submit is noted and refused, as by a store that is away."""

    async def submit(declarations: Sequence[Declaration]) -> list[Unavailable]:
        submitted.extend(declarations)
        return [Unavailable("the store is away") for _ in declarations]

    async with asyncio.TaskGroup() as group:
        task = group.create_task(watch(house.leases, house.intent, house.time, submit, house.note))
        yield
        task.cancel()


async def test_the_watch_removes_by_declaration_observes_the_rest_and_tries_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xds.sources.leases.PASS", 0.01)
    house.register("a", "b", ttl=2.0)
    submitted: list[Declaration] = []
    async with watched(house, submitted):
        house.time.now += 2.0
        await until(lambda: len(submitted) >= 1, what="a removal")
        house.time.now += 0.02
        await until(lambda: len(submitted) >= 2, what="the removal again")
    removal = Delete(Ref(Kind.INSTANCE, "a"))
    assert set(submitted) == {Declaration(removal, "lease", "the lease ran out", operator=True, absence=True)}
    assert house.intent.health("b") is Health.UNHEALTHY


async def test_a_watch_that_was_held_up_forgives(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xds.sources.leases.PASS", 0.01)
    house.register("a", "b", ttl=2.0)
    submitted: list[Declaration] = []
    async with watched(house, submitted):
        await asyncio.sleep(0)  # the first pass
        house.time.now += LATE + 1.0
        await until(lambda: house.leases.remaining("a") == Lease(2.0), what="a full lease")
    assert not submitted
    assert house.intent.health("b") is Health.HEALTHY
