"""R5: several clients register, renew, leave, fall silent and change at random, and the registry is what a model says.

Through the real API and a real store, with a clock that is moved by hand. Expiry is checked by what it may never do,
because who goes first is the registry's choice.
"""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any  # documents of the API are JSON

import httpx
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.feature.api.running import client_of
from tests.harness.soak import lasting
from tests.unit.sources.house import TTL, Time
from xds.api.settings import ApiSettings
from xds.control.admission import Admitted
from xds.control.clock import SystemClock
from xds.control.plane import ControlPlane
from xds.sources.lease_watch import Outlets, make_pass
from xds.sources.leases import WheelLeases
from xds.store.sqlite import SqliteStore

CLIENTS = 8
IDS = st.sampled_from([f"i{at}" for at in range(6)])
WHO = st.integers(0, CLIENTS - 1)
SERVICES = st.sampled_from(["web", "shop"])
LABELS = st.sampled_from(["a", "b", "c"])
AGE = st.sampled_from([-1, 0, 1])  # of a message: an older incarnation's, this one's, a later one's


class Now(Time):
    """Monotonic time is moved by hand; the journal's bounds are days of the real wall clock."""

    def wall(self) -> datetime:
        return SystemClock().wall()


@dataclass
class Known:
    """What the model knows of an instance."""

    service: str
    label: str
    start: str
    epoch: int
    seq: int
    renewed: float
    beat: int = 0


class Machine(RuleBasedStateMachine):
    """Eight clients of one registry, and the model beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.time = Now()
        self.model: dict[str, Known] = {}
        self.revision = 0
        self.seen: list[list[int]] = [[] for _ in range(3)]
        self.runner.run(self._start())

    def teardown(self) -> None:
        self.runner.run(self._stop())
        self.runner.close()
        self.folder.cleanup()

    # -- what clients do ----------------------------------------------------------------------------------------

    @rule(who=WHO, name=IDS, service=SERVICES, label=LABELS)
    def register(self, who: int, name: str, service: str, label: str) -> None:
        answer = self._ask(who, "PUT", f"instances/{name}", self._document(who, name, service, label))
        self._registered(who, name, service, label, answer)

    @rule(name=IDS, label=LABELS)
    def everybody_registers_at_once(self, name: str, label: str) -> None:
        """One id each and one that all want: whatever order it is done in, the last word about each stands."""

        async def all_of_them() -> list[httpx.Response]:
            own = [
                client.put(f"/v1/instances/c{who}", json=self._document(who, f"c{who}", "crowd", label))
                for who, client in enumerate(self.clients)
            ]
            return await asyncio.gather(*own)

        for who, answer in enumerate(self.runner.run(all_of_them())):
            self._registered(who, f"c{who}", "crowd", label, answer)

    @rule(who=WHO, name=IDS, label=LABELS)
    def register_a_batch_with_one_bad_item(self, who: int, name: str, label: str) -> None:
        good = self._document(who, name, self.model[name].service if name in self.model else "web", label)
        answer = self._ask(who, "POST", "instances:batch", {"items": [{**good, "weight": -1}, good]})
        bad, done = answer.json()["results"]
        assert (answer.json()["failed"], bad["error"]["pointer"], "error" in done) == (1, "/weight", False)
        found = self._ask(who, "GET", f"instances/{name}")
        self._registered(who, name, good["service"], label, found)

    @rule(who=WHO, name=IDS, age=AGE, seq=st.integers(0, 3))
    def renew(self, who: int, name: str, age: int, seq: int) -> None:
        known = self.model.get(name)
        epoch = max(0, known.epoch + age) if known else 1
        number = known.seq + seq if known and seq else 0
        answer = self._ask(who, "PUT", f"instances/{name}/heartbeat", {"epoch": epoch, "seq": number})
        if known is None or epoch > known.epoch:
            assert (answer.status_code, answer.json()["code"]) == (404, "register_again")
        elif (epoch and epoch < known.epoch) or (number and number <= known.beat):
            assert (answer.status_code, answer.json()["code"]) == (409, "stale_epoch")
        else:
            assert answer.json() == {"expires_in": "10s"}
            known.renewed, known.beat = self.time.now, number or known.beat

    @rule(who=WHO, name=IDS, age=st.sampled_from([-1, 0]))
    def deregister(self, who: int, name: str, age: int) -> None:
        known = self.model.get(name)
        epoch = max(1, known.epoch + age) if known else 1
        answer = self._ask(who, "DELETE", f"instances/{name}?epoch={epoch}")
        if known is None:
            assert answer.status_code == 404
        elif epoch < known.epoch:
            assert (answer.status_code, answer.json()["code"]) == (409, "stale_epoch")
        else:
            assert answer.status_code == 204
            del self.model[name]

    # -- what happens to all ------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 4, 11]))
    def time_passes(self, seconds: int) -> None:
        """Nobody goes before its lease ran out, and nobody who is the last of its service."""
        for _ in range(seconds):
            self.time.now += 1.0
            self.runner.run(make_pass(self.leases, self.plane.intent, self.outlets, late=False))
            self._expired(set(self.model) - self.plane.intent.instances.keys())

    def _expired(self, gone: set[str]) -> None:
        for name in gone:
            assert self.time.now - self.model[name].renewed >= TTL
        services = {known.service for known in self.model.values()}
        for name in gone:
            del self.model[name]
        assert services == {known.service for known in self.model.values()}

    @rule()
    def the_control_plane_is_restarted(self) -> None:
        """Everything is there again, with a full lease."""
        self.runner.run(self._stop())
        self.runner.run(self._start())
        for known in self.model.values():
            known.renewed, known.beat = self.time.now, 0

    # -- what always holds --------------------------------------------------------------------------------------

    @invariant()
    def the_registry_is_what_the_model_says(self) -> None:
        found = self._ask(0, "GET", "instances").json()
        there = {
            each["id"]: (each["service"], each["labels"], each["start"], each["epoch"], each["seq"])
            for each in found["items"]
        }
        wanted = {
            name: (known.service, {"l": known.label}, known.start, known.epoch, known.seq)
            for name, known in self.model.items()
        }
        assert there == wanted
        assert found["revision"] >= self.revision
        self.revision = found["revision"]

    @invariant()
    def each_watcher_sees_each_revision_once_and_in_order(self) -> None:
        """Every one reads at a pace of its own, and misses none."""
        for at, seen in enumerate(self.seen):
            for revision in self.runner.run(self.store.revisions(seen[-1] if seen else 0, 1 + 3 * at)):
                assert revision.number == (seen[-1] if seen else 0) + 1
                assert revision.changes
                seen.append(revision.number)
        assert max(map(len, self.seen)) <= self.plane.intent.revision

    # -- the machinery ------------------------------------------------------------------------------------------

    def _document(self, who: int, name: str, service: str, label: str) -> dict[str, Any]:
        return {
            "id": name, "service": service, "address": f"10.0.{who}.{int(name[1:]) + 1}", "port": 8080, "ttl": TTL,
            "labels": {"l": label}, "start": f"client-{who}",
        }  # fmt: skip

    def _registered(self, who: int, name: str, service: str, label: str, answer: httpx.Response) -> None:
        known = self.model.get(name)
        if known is not None and known.service != service:
            assert (answer.status_code, answer.json()["code"]) == (403, "identity")
            return
        assert answer.status_code in {200, 201}, answer.text
        found = answer.json()
        if known is not None and known.start == f"client-{who}":
            assert (found["epoch"], found["seq"] >= known.seq) == (known.epoch, True)
        elif known is not None:
            assert found["epoch"] > known.epoch
        same = known is not None and known.epoch == found["epoch"]
        unchanged = same and known is not None and known.seq == found["seq"]
        renewed = known.renewed if known is not None and unchanged else self.time.now
        beat = known.beat if known is not None and same else 0
        self.model[name] = Known(service, label, f"client-{who}", found["epoch"], found["seq"], renewed, beat)

    def _ask(self, who: int, method: str, path: str, body: object = None) -> httpx.Response:
        return self.runner.run(self.clients[who].request(method, f"/v1/{path}", json=body))

    async def _start(self) -> None:
        self.store = SqliteStore(Path(self.folder.name) / "fairlead.db")
        self.leases = WheelLeases(self.time)
        self.plane = ControlPlane(store=self.store, clock=self.time, leases=self.leases, filter=Admitted(None))
        self.outlets = Outlets(self.plane.submit, self.plane.observe, self.plane.alarms.set)
        await self.plane.start()
        self.open = AsyncExitStack()
        tasks = await self.open.enter_async_context(asyncio.TaskGroup())
        self.running = tasks.create_task(self.plane.run())
        self.clients = [
            await self.open.enter_async_context(client_of(self.plane, ApiSettings())) for _ in range(CLIENTS)
        ]

    async def _stop(self) -> None:
        self.running.cancel()
        await self.open.aclose()
        await self.store.close()


def test_r5_whatever_eight_clients_do_the_registry_is_what_the_model_says() -> None:
    examples, steps = lasting(5, 200), lasting(20, 50)
    run_state_machine_as_test(
        Machine, settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    )
