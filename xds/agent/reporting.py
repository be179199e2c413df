"""Carrying the ledger's words to the control plane, one request at a time, and keeping the book on disk."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from math import inf
from types import TracebackType
from typing import Final

import httpx

from xds.agent.ledger import Ask, Ledger
from xds.agent.spool import Spool
from xds.client.errors import ClientError, RegisterAgain, read

TIMEOUT: Final = httpx.Timeout(10.0, connect=2.0)
KEPT: Final = 0.5  # seconds between two writes of the spool at least

_log = logging.getLogger(__name__)


def client(url: str, token: str = "", way: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """Return a client of one control plane; `way` is how requests get there, None for over the network."""
    return httpx.AsyncClient(
        base_url=url,
        transport=way,
        headers={"authorization": f"Bearer {token}"} if token else {},
        timeout=TIMEOUT,
        trust_env=False,  # a proxy for the web is no way to a control plane
    )


class Reporter:
    """Tells one control plane what the ledger holds. Use it as an asynchronous context manager."""

    def __init__(
        self, http: httpx.AsyncClient, ledger: Ledger, spool: Spool, *, monotonic: Callable[[], float]
    ) -> None:
        """Send nothing yet; `http` is a client of that control plane alone, and closed with this."""
        self.url = str(http.base_url).rstrip("/")
        self.ledger = ledger
        self._spool = spool
        self._now = monotonic
        self._wake = asyncio.Event()
        self._kept = 0
        self._unable = ""
        self._http = http

    async def __aenter__(self) -> Reporter:
        """Return the reporter itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Keep the book. What is registered stays so: the containers go on, and the next agent finds them there."""
        await self._keep()
        await self._http.aclose()

    def wake(self) -> None:
        """Say that there is something new to tell."""
        self._wake.set()

    async def run(self) -> None:
        """Tell, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_for_ever(), name="agent-spool")
            while True:
                self._wake.clear()
                while (ask := self.ledger.next(self._now())) is not None:
                    await self._carry(ask)
                pause = self.ledger.pause(self._now())
                try:
                    async with asyncio.timeout(None if pause == inf else max(pause, 0.001)):
                        await self._wake.wait()
                except TimeoutError:
                    continue

    async def request(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, object]:
        """Ask the control plane once; ClientError for a no, and OSError or httpx's errors for silence."""
        answer = await self._http.request(method, path, json=body)
        return read(answer.status_code, answer.content)

    async def _carry(self, ask: Ask) -> None:
        before = self.ledger.trouble
        try:
            answer = await self.request(ask.method, ask.path, ask.body)
        except RegisterAgain:
            self.ledger.failed(ask, "not found", self._now())
        except (httpx.HTTPError, ClientError) as error:
            why = f"{self.url}: {str(error) or type(error).__name__}"
            self.ledger.failed(ask, why, self._now())
            if not before:
                _log.warning("%s; what is to be told is kept", why)
        else:
            self.ledger.answered(ask, answer, self._now())
            if before:
                _log.info("%s is back", self.url)
            _log_refusals(ask)

    async def _keep_for_ever(self) -> None:
        while True:
            await self._keep()
            await asyncio.sleep(KEPT)

    async def _keep(self) -> None:
        words = self.ledger.words
        if words == self._kept:
            return
        try:
            await asyncio.to_thread(self._spool.write, self.ledger.dump())
        except OSError as error:
            if self._unable != str(error):
                _log.error("%s cannot be written: %s", self._spool.path, error)
            self._unable = str(error)
        else:
            self._kept, self._unable = words, ""


def _log_refusals(ask: Ask) -> None:
    for entry, _ in ask.about:
        if entry.refusal and entry.failures == 1:
            _log.error("%s was refused: %s", entry.id, entry.refusal)
