"""What labels say of their services, declared: policy and routes, by the control plane's own reading of the labels.

The control plane knows the services, so it says what of it holds (the stable version's word) and what is only a
proposal (`POST /v1/labels:describe`); this applies what holds, in a set of its own, so that what an operator declared
stays as it is.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, cast

import httpx

from xds.client.errors import ClientError
from xds.sources.docker.life import Life

SET: Final = "docker"
GATHER: Final = 0.1  # seconds from one look to the next at least: what starts meanwhile is looked at together
AGAIN: Final = 30.0  # seconds until it is looked at again: another version may have become the stable one
RETRY: Final = 2.0

Request = Callable[[str, str, Mapping[str, object]], Awaitable[Mapping[str, object]]]
Item = Mapping[str, object]

_log = logging.getLogger(__name__)


def item_of(life: Life) -> Item | None:
    """Return one registered container as `labels:describe` takes it; None for one that is not registered."""
    if life.told is None or life.said is None or life.facts is None:
        return None
    said = life.said
    first, *others = said.ports.items()
    known = {
        "fairlead.service": said.service.name,
        "fairlead.env": said.service.env,
        "fairlead.version": said.version,
        **(
            {"fairlead.port": str(first[1])} if first[0] == "default" else {f"fairlead.ports.{first[0]}": str(first[1])}
        ),
        **{f"fairlead.ports.{name}": str(number) for name, number in others},
    }
    ours = {key: value for key, value in said.labels.items() if key.startswith("fairlead.")}
    return {"name": life.facts.name or life.id[:12], "address": life.told.place.address, "labels": {**ours, **known}}


class Policy:
    """Keeps services and routes as the labels of what is registered have them."""

    def __init__(
        self, request: Request, items: Callable[[], Iterable[Item]], *, monotonic: Callable[[], float]
    ) -> None:
        """Declare nothing yet; `items` are the containers as they are now, `monotonic` is a clock in seconds."""
        self.proposals: list[str] = []
        self._request = request
        self._items = items
        self._now = monotonic
        self._wake = asyncio.Event()
        self._applied: dict[str, str] = {}
        self._trouble = ""

    def wake(self) -> None:
        """Say that other containers are registered."""
        self._wake.set()

    async def run(self) -> None:
        """Declare, for ever; what goes wrong here is tried again and stops nothing else."""
        while True:
            pause = AGAIN
            self._wake.clear()
            began = self._now()
            try:
                await self._declare()
                self._trouble = ""
            except (ClientError, httpx.HTTPError) as error:
                pause = RETRY
                self._note(str(error) or type(error).__name__)
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
                await asyncio.sleep(began + GATHER - self._now())
            except TimeoutError:
                continue

    async def _declare(self) -> None:
        items = list(self._items())
        if not items:
            return
        said = cast("dict[str, Any]", await self._request("POST", "/v1/labels:describe", {"items": items, "set": SET}))
        self.proposals = [
            f"{each['service']} {each['version']}: {each['field']} would be {each['wanted']}; {each['holds']} holds"
            for each in said["proposals"]
        ]
        wanted = {
            f"{each['kind']} {each.get('env')} {each['name']}": each
            for each in said["documents"]
            if each["kind"] in {"service", "route"}
        }
        fresh = {
            key: each for key, each in wanted.items() if self._applied.get(key) != json.dumps(each, sort_keys=True)
        }
        if not fresh:
            return
        answer = await self._request("POST", "/v1/apply", {"documents": list(fresh.values()), "set": SET})
        results = cast("list[dict[str, Any]]", answer["results"])
        for (key, each), result in zip(fresh.items(), results, strict=True):
            self._applied[key] = json.dumps(each, sort_keys=True)
            if result.get("error"):
                _log.error("%s of labels was refused: %s", key, result["error"].get("detail"))

    def _note(self, trouble: str) -> None:
        if trouble != self._trouble:
            _log.warning("services and routes of labels are not declared: %s", trouble)
        self._trouble = trouble
