"""What labels say of their services, declared: policy, routes and rollouts, as the control plane reads the labels.

The control plane knows the services and every host's containers, so it says what of it holds (the stable version's
word), what is only a proposal, which version nobody has seen and which route no label names any more
(`POST /v1/labels:describe`). This applies what holds in a set of its own, so that what an operator declared stays as it
is, and begins the rollouts, each of which waits at 0 % for somebody.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, cast

import httpx

from xds.client.errors import ClientError, Refused
from xds.labels.registered import words_of
from xds.sources.docker.life import Life

SET: Final = "docker"
GATHER: Final = 0.1  # seconds in which what starts together is looked at together
AGAIN: Final = 30.0  # seconds until it is looked at again: another version may have become the stable one
RETRY: Final = 2.0
ABANDONED: Final = 600.0  # seconds without any container of its service, after which a route goes

Request = Callable[[str, str, Mapping[str, object] | None], Awaitable[Mapping[str, object]]]
Item = Mapping[str, object]

_log = logging.getLogger(__name__)


def item_of(life: Life) -> Item | None:
    """Return one registered container as `labels:describe` takes it; None for one that is not registered."""
    if life.told is None or life.facts is None:
        return None
    instance = life.told.instance
    name = life.facts.name or life.id[:12]
    return {"id": instance.id, "name": name, "address": instance.address, "labels": words_of(instance)}


class Policy:
    """Keeps services, routes and rollouts as the labels of what is registered have them.

    `proposals` are what versions say that does not hold, `waiting` which versions have no users, in sentences.
    """

    def __init__(self, request: Request, items: Callable[[], Iterable[Item]], monotonic: Callable[[], float]) -> None:
        """Declare nothing yet; `items` are the containers as they are now."""
        self.proposals: list[str] = []
        self.waiting: list[str] = []
        self._request = request
        self._items = items
        self._now = monotonic
        self._wake = asyncio.Event()
        self._applied: dict[str, str] = {}
        self._abandoned: dict[str, float] = {}
        self._trouble = ""

    def wake(self) -> None:
        """Say that other containers are registered."""
        self._wake.set()

    async def run(self) -> None:
        """Declare, for ever; what goes wrong here is tried again and stops nothing else."""
        while True:
            self._wake.clear()
            try:
                pause = AGAIN if await self.declare() else RETRY
                self._trouble = ""
            except (ClientError, httpx.HTTPError) as error:
                pause = RETRY
                self._note(str(error) or type(error).__name__)
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
                await asyncio.sleep(GATHER)
            except TimeoutError:
                continue

    async def declare(self) -> bool:
        """Declare what is not declared yet; ClientError or httpx's errors where that cannot be said.

        False while a version is not registered yet whose rollout is to begin.
        """
        asked = {"items": list(self._items()), "set": SET, "registered": True}
        said = cast("dict[str, Any]", await self._request("POST", "/v1/labels:describe", asked))
        self._propose(said["proposals"])
        await self._apply([each for each in said["documents"] if each["kind"] in {"service", "route"}])
        await self._prune(said["stale"])
        begun = [await self._begin(each) for each in said["waiting"]]
        self.waiting = [words for words, _ in begun]
        return all(settled for _, settled in begun)

    def _propose(self, proposals: Iterable[Mapping[str, str]]) -> None:
        fresh = [
            f"{each['service']} {each['version']}: {each['field']} would be {each['wanted']}; {each['holds']} holds"
            for each in proposals
        ]
        for each in fresh:
            if each not in self.proposals:
                _log.info("a proposal of labels: %s", each)
        self.proposals = fresh

    async def _apply(self, documents: Iterable[Mapping[str, Any]]) -> None:
        wanted = {f"{each['kind']} {each.get('env')} {each['name']}": each for each in documents}
        texts = {key: json.dumps(each, sort_keys=True) for key, each in wanted.items()}
        fresh = {key: each for key, each in wanted.items() if self._applied.get(key) != texts[key]}
        self._applied = {key: text for key, text in self._applied.items() if key in wanted}
        if not fresh:
            return
        answer = await self._request("POST", "/v1/apply", {"documents": list(fresh.values()), "set": SET})
        results = cast("list[dict[str, Any]]", answer["results"])
        for key, result in zip(fresh, results, strict=True):
            self._applied[key] = texts[key]
            if result.get("error"):
                _log.error("%s of labels was refused: %s", key, result["error"].get("detail"))

    async def _prune(self, stale: Iterable[Mapping[str, Any]]) -> None:
        """Remove the routes that no label names; of a service without containers after a while, for they may return."""
        now, abandoned = self._now(), {}
        for each in stale:
            path = f"/v1/routes/{each['name']}?env={each['env']}"
            if each["abandoned"]:
                abandoned[path] = self._abandoned.get(path, now)
                if now < abandoned[path] + ABANDONED:
                    continue
            try:
                await self._request("DELETE", path, None)
            except Refused as error:
                _log.warning("route %s, which no label names, stays: %s", each["name"], error)
            else:
                _log.info("route %s is removed: no label names it any more", each["name"])
        self._abandoned = abandoned

    async def _begin(self, said: Mapping[str, Any]) -> tuple[str, bool]:
        """Begin the rollout of a version that nobody has seen; return in words how it waits, and if that is its last.

        It may be that another rollout is in progress, or that its first container is not registered yet.
        """
        name, begun = f"{said['service']} {said['version']}", said["rollout"]
        if begun is None and said["plan"]:
            wanted = {field: said[field] for field in ("service", "env", "version", "plan", "auto_promote")}
            try:
                begun = (await self._request("POST", "/v1/rollouts", wanted))["id"]
            except Refused as error:
                return f"{name} waits for its rollout: {error}", error.code != "unknown_version"
            _log.info("rollout %s has begun, at %s %%", begun, said["plan"][0]["weight"])
        if begun is None:
            return f"{name} has no users: `fairlead canary start {name}` begins its rollout", True
        return f"{name} has no users; `fairlead canary status {begun}` shows its rollout", True

    def _note(self, trouble: str) -> None:
        if trouble != self._trouble:
            _log.warning("services and routes of labels are not declared: %s", trouble)
        self._trouble = trouble
