"""The agent put together: engines followed, the ledger told, its settings read again when that is asked for."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Final

import httpx

from xds.agent.document import document, runtime
from xds.agent.ledger import Ledger
from xds.agent.policy import Policy
from xds.agent.presence import Presence
from xds.agent.reporting import Reporter, client
from xds.agent.settings import AgentSettings
from xds.agent.sightings import Sightings
from xds.agent.spool import Spool
from xds.model.instance import Instance
from xds.model.problems import FairleadError
from xds.sources.docker.containers import Containers
from xds.sources.docker.effects import Register, Report
from xds.sources.docker.engine import Engine
from xds.sources.docker.follow import Follower, Told

CALM: Final = 1.0  # seconds until labels are looked at without those that left: their withdrawal goes first
LOOK: Final = 0.25  # seconds between two looks at whether everybody has been inspected, after a start
STATUS: Final = 1.0  # seconds between two looks at whether the status file is to be written
ALIVE: Final = 5  # looks after which it is written though nothing changed, as a sign of life

_log = logging.getLogger(__name__)


class Agent:
    """One agent, and what it follows. `reread` returns its settings as they are now; FairleadError keeps the old.

    `way` is how its requests get to the server, None for over the network.
    """

    def __init__(
        self,
        settings: AgentSettings,
        server: str,
        token: str,
        reread: Callable[[], AgentSettings] | None = None,
        way: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Open nothing yet, but read what the last agent here kept."""
        self.settings = settings
        self._reread = reread
        self._spool = Spool(settings.data_dir)
        self.ledger = Ledger(settings.ttl, random.random)
        self.ledger.restore(self._spool.read(), time.monotonic())
        self._reporter = Reporter(client(server, token, way), self.ledger, self._spool, monotonic=time.monotonic)
        self._policy = Policy(self._reporter.request, self._registered, time.monotonic)
        self._followers: list[Follower] = []
        self._said: dict[str, str] = {}

    async def run(self, asked: asyncio.Event | None = None) -> None:
        """Run until cancelled; `asked` is set when the settings are to be read again."""
        again = asked or asyncio.Event()
        sightings = Sightings(
            self.settings.name,
            self._reporter.request,
            lives=lambda: (life for each in self._followers for life in each.containers.lives()),
            strangers=lambda: (line for each in self._followers for line in each.containers.strangers),
            refusals=self.ledger.refusals,
            moves=self._moves,
        )
        async with self._reporter, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._reporter.run(), name="agent-report")
            tasks.create_task(self._show_for_ever(), name="agent-status")
            tasks.create_task(self._policy.run(), name="agent-policy")
            tasks.create_task(sightings.run(), name="agent-sightings")
            presence = Presence(
                self.settings.name, self.settings.address, metadata.version("fairlead"), sightings.begin
            )
            tasks.create_task(presence.run(self._reporter.request, self._is_well), name="agent-presence")
            while True:
                following = tasks.create_task(self._follow(), name="agent-follow")
                await self._changed(again)
                following.cancel()
                await asyncio.wait([following])

    def status(self) -> dict[str, object]:
        """Return how everything stands: engines, containers by name, and the control plane."""
        return {
            "agent": self.settings.name,
            "ready": not self.ledger.trouble and self._is_well(),
            "control_plane": self.ledger.trouble or "reached",
            "engines": {str(each.engine.endpoint): each.trouble or "followed" for each in self._followers},
            "containers": self._states(),
            "refused": self.ledger.refusals(),
            "proposals": list(self._policy.proposals),
            "waiting": list(self._policy.waiting),
        }

    def _states(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for each in self._followers:
            for name, state in each.containers.states().items():
                found[f"{name} ({each.engine.endpoint})" if name in found else name] = state
        return found

    async def _follow(self) -> None:
        settings = self.settings
        async with contextlib.AsyncExitStack() as engines, asyncio.TaskGroup() as tasks:
            self._followers = []
            for endpoint in settings.endpoints:
                engine = await engines.enter_async_context(Engine(endpoint))
                containers = Containers(
                    reading=settings.reading,
                    stand=settings.stand,
                    host=settings.name,
                    first_answer=settings.central_checks,
                )
                tell = partial(self._tell, str(endpoint))
                follower = Follower(engine, containers, tell, monotonic=time.monotonic, chance=random.random)
                self._followers.append(follower)
                tasks.create_task(follower.run(), name=f"docker {endpoint}")
            tasks.create_task(self._settle(), name="agent-settle")

    async def _settle(self) -> None:
        """Once an engine has said who is there, take out who ended on it while nobody looked; at last on any other."""
        waiting = list(self._followers)
        while waiting:
            for each in [each for each in waiting if each.settled]:
                if not each.containers.unseen:
                    waiting.remove(each)
                self.ledger.settle(each.containers.runs(self.ledger.standing()), str(each.engine.endpoint))
                self._reporter.wake()
            await asyncio.sleep(LOOK)
        known = self.ledger.standing()
        self.ledger.settle({name for each in self._followers for name in each.containers.runs(known)})
        self._reporter.wake()

    def _tell(self, engine: str, words: Sequence[Told]) -> None:
        settings = self.settings
        for word in words:
            if isinstance(word, Register):
                instance = word.registration.instance
                said = document(
                    word.registration,
                    ttl=settings.ttl,
                    region=settings.region,
                    zone=settings.zone,
                    checked=settings.central_checks,
                )
                if not self.ledger.put(instance.id, instance.epoch, said, engine):
                    _log.error("%s is one container more than an agent keeps", instance.id)
            elif isinstance(word, Report):
                self.ledger.hear(word.instance_id, runtime(word.signal))
            else:
                _log.info("%s is withdrawn: %s", word.instance_id, word.why)
                self.ledger.drop(word.instance_id)
        self._reporter.wake()
        if any(isinstance(word, Register) for word in words):
            self._policy.wake()
        else:
            asyncio.get_running_loop().call_later(CALM, self._policy.wake)

    def _registered(self) -> Iterator[tuple[str, Instance]]:
        for follower in self._followers:
            for life in follower.containers.lives():
                if life.told is not None:
                    yield life.name, life.told.instance

    def _is_well(self) -> bool:
        return bool(self._followers) and not any(each.stale for each in self._followers)

    async def _changed(self, asked: asyncio.Event) -> None:
        """Wait until the settings are others than before, or the certificates that they name."""
        stamps = self.settings.stamps
        while True:
            await asked.wait()
            asked.clear()
            try:
                fresh = self._reread() if self._reread else self.settings
                fresh.check()
            except FairleadError as error:
                _log.error("the settings stay as they were: %s: %s", error.pointer, error.message)
                continue
            if (fresh, fresh.stamps) != (self.settings, stamps):
                _log.info("the settings have changed: containers are looked at anew, what is registered stays")
                self.settings = fresh
                self.ledger.ttl = fresh.ttl
                return
            _log.info("the settings were read again, and are what they were")

    async def _show_for_ever(self) -> None:
        """Keep the status on disk, for `fairlead agent --status` and for people; log what is new in it."""
        path, looks = self.settings.data_dir / "status.json", 0
        seen: tuple[object, ...] = ()
        while True:
            now = self._moves()
            looks += 1
            with contextlib.suppress(OSError):  # it is for people; the spool says that the disk is full
                if now != seen:
                    status = self.status()
                    self._log_states(status["containers"])
                    await asyncio.to_thread(_write, path, json.dumps(status, indent=2))
                    seen = now
                elif looks % ALIVE == 0:
                    await asyncio.to_thread(os.utime, path)
            await asyncio.sleep(STATUS)

    def _moves(self) -> tuple[object, ...]:
        """Return what is other whenever the status is: idle containers cost nothing."""
        followed = (each.moves for each in self._followers)
        return self.settings, self.ledger.moves, self.ledger.trouble, self._policy.looks, *followed

    def _log_states(self, states: object) -> None:
        now = states if isinstance(states, dict) else {}
        for name, state in now.items():
            if self._said.get(name) != state:
                _log.info("%s: %s", name, state)
        self._said = dict(now)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(text + "\n", encoding="utf-8")
    fresh.replace(path)
