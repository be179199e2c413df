"""The Engine API as far as it is read: five paths, GET only. No method here can ask for anything else.

Versions are negotiated; what an engine answers is read elsewhere (`facts.py`, `stream.py`). Asking never raises
anything but EngineError.
"""

from __future__ import annotations

import contextlib
import json
import re
import ssl
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Final

import httpx

from xds.sources.docker.endpoint import Endpoint
from xds.sources.docker.facts import Facts, Summary, Unreadable, read_facts, read_summaries

ALLOWED: Final = re.compile(
    r"/(?:v1\.\d{1,3}/)?(?:containers/json|containers/[A-Za-z0-9][A-Za-z0-9_.-]*/json|events|version|_ping)\Z"
)
OLDEST: Final = (1, 24)
NEWEST: Final = (1, 47)
TIMEOUT: Final = httpx.Timeout(10.0, connect=3.0)  # also of a ping: an engine that is silent for so long is away
MAX_ANSWER: Final = 64 << 20  # bytes
EVENTS: Final = {
    "type": ["container", "network"],
    "event": [
        *("start", "die", "kill", "destroy", "pause", "unpause", "rename", "restart", "update"),
        *("health_status", "connect", "disconnect"),
    ],
}
"""What is asked for. `exec_create` is not: a HEALTHCHECK makes three such events at each turn."""

_VERSION: Final = re.compile(r"(\d{1,3})\.(\d{1,3})\Z")

_BROKEN: Final = (httpx.HTTPError, httpx.StreamError, ssl.SSLError)
"""With TLS 1.3 an engine refuses our certificate only when we read its answer, and httpx lets that through as it is."""


class EngineError(Exception):
    """The engine did not answer, or with something that it should not say; the text is for people."""


class Engine:
    """One engine, read only. Use it as an asynchronous context manager."""

    def __init__(self, endpoint: Endpoint, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """Open nothing yet."""
        self.endpoint = endpoint
        self.version = ""
        self._prefix = ""
        self._http = httpx.AsyncClient(
            base_url=endpoint.url, transport=transport or endpoint.transport(), timeout=TIMEOUT, trust_env=False
        )

    async def __aenter__(self) -> Engine:
        """Return the engine itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Close what is open."""
        await self._http.aclose()

    async def negotiate(self) -> None:
        """Agree on the newest version of the API that both sides know."""
        said = await self._json("/version")
        known = said if isinstance(said, dict) else {}
        newest, least = _version(known.get("ApiVersion")), _version(known.get("MinAPIVersion")) or OLDEST
        if newest is None:
            raise EngineError(f"{self.endpoint}: no Docker Engine answers there")
        ours = min(newest, NEWEST)
        if ours < max(least, OLDEST):
            words = f"it speaks {least[0]}.{least[1]} to {newest[0]}.{newest[1]}"
            raise EngineError(f"{self.endpoint}: {words} of the API, and {OLDEST[0]}.{OLDEST[1]} is needed at least")
        self.version = str(known.get("Version", ""))
        self._prefix = f"/v{ours[0]}.{ours[1]}"

    async def ping(self) -> None:
        """Return once it has answered, be it busy."""
        await self._get("/_ping")

    async def running(self) -> list[Summary]:
        """Return the containers that run."""
        try:
            return read_summaries(await self._json(f"{self._prefix}/containers/json"))
        except Unreadable as error:
            raise EngineError(f"{self.endpoint}: {error}") from None

    async def inspect(self, container: str) -> Facts | None:
        """Return what the engine knows of a container, None when there is none of that id or name."""
        said = await self._json(f"{self._prefix}/containers/{container}/json", missing=404)
        if said is None:
            return None
        try:
            return read_facts(said)
        except Unreadable as error:
            raise EngineError(f"{self.endpoint}: {error}") from None

    @contextlib.asynccontextmanager
    async def events(self, since: float | None) -> AsyncIterator[AsyncIterator[bytes]]:
        """Follow the events, from `since` (seconds, the engine's clock) or from now: chunks as they come.

        Inside the context the engine has subscribed us: what happens from now on will come.
        """
        query = {"filters": json.dumps(EVENTS)} | ({} if since is None else {"since": f"{since:.9f}"})
        timeout = httpx.Timeout(10.0, connect=3.0, read=None)  # an engine where nothing happens says nothing
        try:
            async with self._http.stream(
                "GET", self._path(f"{self._prefix}/events"), params=query, timeout=timeout
            ) as answer:
                if answer.status_code != 200:
                    raise EngineError(f"{self.endpoint}: {answer.status_code} for its events")
                yield self._chunks(answer)
        except _BROKEN as error:
            raise EngineError(f"{self.endpoint}: {_words(error)}") from None

    async def _chunks(self, answer: httpx.Response) -> AsyncIterator[bytes]:
        try:
            async for chunk in answer.aiter_bytes():
                yield chunk
        except _BROKEN as error:
            raise EngineError(f"{self.endpoint}: {_words(error)}") from None
        raise EngineError(f"{self.endpoint}: it ended the stream of its events")

    async def _json(self, path: str, missing: int = 0) -> object:
        answer = await self._get(path, missing)
        if answer is None:
            return None
        try:
            return json.loads(answer)
        except (ValueError, RecursionError):
            raise EngineError(f"{self.endpoint}: what it answered for {path} is not JSON") from None

    async def _get(self, path: str, missing: int = 0) -> bytes | None:
        body = bytearray()
        try:
            async with self._http.stream("GET", self._path(path)) as answer:
                if answer.status_code == missing:
                    return None
                if answer.status_code != 200:
                    raise EngineError(f"{self.endpoint}: {answer.status_code} for {path}")
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_ANSWER:
                        raise EngineError(f"{self.endpoint}: more than {MAX_ANSWER >> 20} MiB for {path}")
        except _BROKEN as error:
            raise EngineError(f"{self.endpoint}: {_words(error)}") from None
        return bytes(body)

    def _path(self, path: str) -> str:
        if not ALLOWED.match(path):
            raise EngineError(f"{path[:80]!r} is not among what is asked of an engine")
        return path


def _version(said: object) -> tuple[int, int] | None:
    found = _VERSION.match(said) if isinstance(said, str) else None
    return (int(found[1]), int(found[2])) if found else None


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
