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
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final, cast

import httpx

from xds.client.errors import ClientError, Refused
from xds.labels.registered import words_of
from xds.model.instance import Instance
from xds.model.names import ServiceKey

SET: Final = "docker"
GATHER: Final = 0.1  # seconds from one look to the next at least: what starts meanwhile is looked at together
AGAIN: Final = 30.0  # seconds until it is looked at again: another version may have become the stable one
SOON: Final = 5.0  # seconds likewise, of services where a rollout is in progress whose version proposes something
RETRY: Final = 2.0
AT_ONCE: Final = 500  # containers of one request, and of one service: the others of it are registered already
ABANDONED: Final = 600.0  # seconds without any container of its service, after which a route goes

_ROLLOUT: Final = ("service", "env", "version", "plan", "auto_promote", "preview", "analysis")

Request = Callable[[str, str, Mapping[str, object] | None], Awaitable[Mapping[str, object]]]
Document = Mapping[str, Any]

_log = logging.getLogger(__name__)


class Policy:
    """Keeps services, routes and rollouts as the labels of what is registered have them."""

    def __init__(
        self,
        request: Request,
        registered: Callable[[], Iterable[tuple[str, Instance]]],
        monotonic: Callable[[], float],
    ) -> None:
        """Declare nothing yet; `registered` are the containers by name, each with its instance, as they are now."""
        self.looks = 0
        self._request = request
        self._registered = registered
        self._now = monotonic
        self._wake = asyncio.Event()
        self._seen: dict[str, Instance] = {}
        self._applied: dict[str, tuple[ServiceKey, str]] = {}
        self._proposals: dict[ServiceKey, list[str]] = {}
        self._waiting: dict[ServiceKey, list[str]] = {}
        self._moving: set[ServiceKey] = set()  # services whose proposals may hold soon
        self._abandoned: dict[str, float] = {}
        self._trouble = ""

    @property
    def proposals(self) -> list[str]:
        """Return what versions say that does not hold, in sentences."""
        return [each for _, words in sorted(self._proposals.items()) for each in words]

    @property
    def waiting(self) -> list[str]:
        """Return which versions have no users and why, in sentences."""
        return [each for _, words in sorted(self._waiting.items()) for each in words]

    def wake(self) -> None:
        """Say that other containers are registered."""
        self._wake.set()

    async def run(self) -> None:
        """Declare, for ever; what goes wrong here is tried again and stops nothing else."""
        due = self._now()
        while True:
            self._wake.clear()
            began = self._now()
            whole = began >= due
            try:
                settled = await self.declare(whole=whole)
                self._trouble = ""
                if whole or not settled:
                    due = self._now() + (AGAIN if settled else RETRY)
            except (ClientError, httpx.HTTPError) as error:
                due = self._now() + RETRY
                self._note(str(error) or type(error).__name__)
            look = min(due, began + SOON) if self._moving else due
            try:
                async with asyncio.timeout(max(0.0, look - self._now())):
                    await self._wake.wait()
                await asyncio.sleep(began + GATHER - self._now())
            except TimeoutError:
                continue

    async def declare(self, *, whole: bool = True) -> bool:
        """Declare what is not declared yet, of services whose containers are others than before or of all of them.

        False while a version is not registered yet whose rollout is to begin. ClientError or httpx's errors where
        nothing can be said.
        """
        now = {instance.id: (name, instance) for name, instance in self._registered()}
        known = {each: instance for each, (_, instance) in now.items()}
        services = {instance.service for instance in (*known.values(), *self._seen.values())}
        if not whole:
            services = self._changed(known) | self._moving
        settled = True
        for some in _portions(services, now.values(), whole=whole):
            settled &= await self._look(some)
        self._seen = known
        self.looks += 1
        return settled

    def _changed(self, now: Mapping[str, Instance]) -> set[ServiceKey]:
        fresh = {instance.service for each, instance in now.items() if self._seen.get(each) is not instance}
        return fresh | {instance.service for each, instance in self._seen.items() if each not in now}

    async def _look(self, items: Mapping[ServiceKey, list[Document]]) -> bool:
        """Declare what the containers of some services come to."""
        asked = {"items": [each for some in items.values() for each in some], "set": SET, "registered": True}
        said = cast("dict[str, Any]", await self._request("POST", "/v1/labels:describe", asked))
        self._propose(items, said["proposals"])
        await self._apply(items, said["documents"])
        await self._prune(said["stale"])
        settled = True
        waiting: dict[ServiceKey, list[str]] = {}
        for each in said["waiting"]:
            words, is_last = await self._begin(each)
            waiting.setdefault(_service_of(each), []).append(words)
            settled &= is_last
        _renew(self._waiting, items, waiting)
        return settled

    def _propose(self, services: Collection[ServiceKey], proposals: Iterable[Document]) -> None:
        fresh: dict[ServiceKey, list[str]] = {}
        self._moving.difference_update(services)
        for each in proposals:
            if each.get("rollout"):
                self._moving.add(_service_of(each))
            words = f"{each['service']} {each['version']}: {each['field']} would be {each['wanted']}"
            fresh.setdefault(_service_of(each), []).append(f"{words}; {each['holds']} holds")
        for key, sentences in fresh.items():
            for sentence in sentences:
                if sentence not in self._proposals.get(key, ()):
                    _log.info("a proposal of labels: %s", sentence)
        _renew(self._proposals, services, fresh)

    async def _apply(self, services: Collection[ServiceKey], documents: Iterable[Document]) -> None:
        wanted = {f"{each['kind']} {each.get('env')} {each['name']}": each for each in documents}
        texts = {key: (_service_of(each), json.dumps(each, sort_keys=True)) for key, each in wanted.items()}
        fresh = [key for key in wanted if self._applied.get(key) != texts[key]]
        for key in [key for key, (service, _) in self._applied.items() if service in services and key not in wanted]:
            del self._applied[key]
        if not fresh:
            return
        answer = await self._request("POST", "/v1/apply", {"documents": [wanted[key] for key in fresh], "set": SET})
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
            wanted = {**{field: said[field] for field in _ROLLOUT}, "set": SET}
            try:
                begun = (await self._request("POST", "/v1/rollouts", wanted))["id"]
            except Refused as error:
                return f"{name} waits for its rollout: {error}", error.code != "unknown_version"
            self._moving.add(_service_of(said))
            _log.info("rollout %s has begun, at %s %%", begun, said["plan"][0]["weight"])
        if begun is None:
            return f"{name} has no users: `fairlead canary start {name}` begins its rollout", True
        return f"{name} has no users; `fairlead canary status {begun}` shows its rollout", True

    def _note(self, trouble: str) -> None:
        if trouble != self._trouble:
            _log.warning("services and routes of labels are not declared: %s", trouble)
        self._trouble = trouble


def item(name: str, instance: Instance) -> Document:
    """Return a registered container as `labels:describe` takes it."""
    return {"id": instance.id, "name": name, "address": instance.address, "labels": words_of(instance)}


def _portions(
    services: Collection[ServiceKey], registered: Iterable[tuple[str, Instance]], *, whole: bool
) -> Iterator[Mapping[ServiceKey, list[Document]]]:
    """Yield the containers of services, as many as one request may hold; a look at everything asks once at least."""
    items: dict[ServiceKey, list[Document]] = {key: [] for key in sorted(services)}
    for name, instance in registered:
        some = items.get(instance.service)
        if some is not None and len(some) < AT_ONCE:
            some.append(item(name, instance))
    portion: dict[ServiceKey, list[Document]] = {}
    for key, some in items.items():
        if portion and sum(map(len, portion.values())) + len(some) > AT_ONCE:
            yield portion
            portion = {}
        portion[key] = some
    if portion or whole:
        yield portion


def _service_of(said: Document) -> ServiceKey:
    name = said["name"] if said.get("kind") == "service" else said["service"]
    return ServiceKey(str(said.get("env")), str(name))


def _renew(
    held: dict[ServiceKey, list[str]], asked: Iterable[ServiceKey], said: Mapping[ServiceKey, list[str]]
) -> None:
    """Put in place of what was held of the services that were asked about what was said of them now."""
    for key in asked:
        held.pop(key, None)
    held.update(said)
