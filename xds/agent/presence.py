"""The agent in the control plane's list of agents: it says that it is there for as long as its engines are heard.

So an engine that is silent turns into the alarm `stale_source` by itself, as an agent that is gone does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import httpx

from xds.client.errors import ClientError, RegisterAgain

ROLE: Final = "docker"
TTL: Final = 45.0  # seconds: an engine that restarts is away for a few
FIRST: Final = 1.0  # seconds between two attempts to be listed at all

Request = Callable[[str, str, Mapping[str, object]], Awaitable[Mapping[str, object]]]

_log = logging.getLogger(__name__)


class Presence:
    """One agent's place in the list."""

    def __init__(self, name: str, address: str, version: str, registered: Callable[[], None]) -> None:
        """Say nothing yet; `registered` is called whenever the control plane has not known it before."""
        self._registered = registered
        self._path = f"/v1/agents/{name}"
        self._said = {"ip": address, "role": ROLE, "version": version, "ttl": TTL}
        self._epoch = 0
        self._seq = 0
        self._trouble = ""

    async def run(self, request: Request, is_well: Callable[[], bool]) -> None:
        """Say it, three times in each lease, while all is well; what goes wrong here stops nothing else."""
        while True:
            if is_well():
                try:
                    await self._say(request)
                    self._trouble = ""
                except (ClientError, httpx.HTTPError) as error:
                    self._note(str(error) or type(error).__name__)
            await asyncio.sleep(TTL / 3 if self._epoch else FIRST)

    async def _say(self, request: Request) -> None:
        if self._epoch:
            self._seq += 1
            try:
                await request("PUT", f"{self._path}/heartbeat", {"epoch": self._epoch, "seq": self._seq})
            except RegisterAgain:
                self._epoch = 0
            else:
                return
        answer = await request("PUT", self._path, self._said)
        self._epoch, self._seq = int(str(answer["epoch"])), int(str(answer["seq"]))
        self._registered()

    def _note(self, trouble: str) -> None:
        if trouble != self._trouble:
            _log.warning("this agent is not in the list of agents: %s", trouble)
        self._trouble = trouble
