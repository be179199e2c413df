"""HTTP to the control plane: JSON in and out, refusals as values with the server's own words.

Only what may be said twice without harm is said again, and only when no connection came about: a lost answer to a write
is reported, not guessed at.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, cast

import httpx

from xds.cli.exits import INVALID, Exit, Failed

Json = dict[str, object]

_ATTEMPTS: Final = 4
_PAUSE_S: Final = 0.25
_SAFE: Final = frozenset({"GET", "PUT", "DELETE"})
_PAGE: Final = 1000


class Refused(Failed):
    """The control plane said no; `problem` is its RFC 9457 document."""

    def __init__(self, status: int, problem: Mapping[str, object]) -> None:
        """Read the problem document; input that can never work exits with 2, everything else with 1."""
        self.status = status
        self.problem = dict(problem)
        super().__init__(self._sentence(), Exit.INVALID if status in INVALID else Exit.REFUSED)

    @property
    def pointer(self) -> str:
        """Return the JSON pointer to the field that was wrong, "" for the whole document."""
        return str(self.problem.get("pointer", ""))

    def _sentence(self) -> str:
        detail = str(self.problem.get("detail") or self.problem.get("title") or f"HTTP {self.status}")
        pointer = str(self.problem.get("pointer") or "")
        hint = ""
        if self.status == httpx.codes.UNAUTHORIZED:
            hint = " (give a token: --token-file, FAIRLEAD_TOKEN_FILE or FAIRLEAD_TOKEN)"
        return f"{pointer}: {detail}{hint}" if pointer else f"{detail}{hint}"


class Client:
    """One control plane. `server` is its URL; `token` "" sends none."""

    def __init__(self, server: str, token: str = "", *, transport: httpx.BaseTransport | None = None) -> None:
        """Open nothing yet; the first request connects."""
        self.server = server
        headers = {"authorization": f"Bearer {token}"} if token else {}
        try:
            self._http = httpx.Client(
                base_url=server,
                headers=headers,
                timeout=httpx.Timeout(30.0, connect=5.0),
                transport=transport,
                trust_env=False,  # a proxy for the web is no way to a control plane
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise Failed(f"--server {server!r} is not a URL: {error}", Exit.INVALID) from None

    def __enter__(self) -> Client:
        """Return the client itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, **query: object) -> Json:
        """Return the document at `path`; query parameters that are None or "" are left out."""
        return self.request("GET", path, query=query)

    def poll(self, path: str, **query: object) -> Json:
        """Return the document at `path` after a single attempt: for who asks again in any case."""
        return self.request("GET", path, query=query, attempts=1)

    def post(self, path: str, body: Mapping[str, object], **query: object) -> Json:
        """Return the answer to a document."""
        return self.request("POST", path, body=body, query=query)

    def delete(self, path: str, **query: object) -> Json:
        """Remove what is at `path`."""
        return self.request("DELETE", path, query=query)

    def items(self, path: str, **query: object) -> Iterator[Json]:
        """Yield every item of a list, page by page."""
        after: object = None
        while True:
            page = self.get(path, **query, limit=_PAGE, after=after)
            yield from cast("list[Json]", page.get("items", []))
            after = page.get("next")
            if not after:
                return

    def revision(self) -> int:
        """Return the revision of everything declared."""
        return int(str(self.get("/readyz")["revision"]))

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, object] | None = None,
        query: Mapping[str, object] | None = None,
        attempts: int = _ATTEMPTS,
    ) -> Json:
        """Return the answer's document ({} for none); Refused for the server's no, Failed when it cannot be reached."""
        chosen = {name: str(value) for name, value in (query or {}).items() if value not in (None, "")}
        answer = self._send(method, path, body, chosen, attempts if method in _SAFE else 1)
        self.check(answer)
        return self._json(answer)

    def stream(
        self, path: str, query: Mapping[str, object], timeout: httpx.Timeout
    ) -> AbstractContextManager[httpx.Response]:
        """Return an answer that is read as it comes; httpx's own errors when it breaks off."""
        chosen = {name: str(value) for name, value in query.items() if value not in (None, "")}
        return self._http.stream("GET", path, params=chosen, timeout=timeout)

    def check(self, answer: httpx.Response) -> None:
        """Raise Refused for an answer that is a no."""
        if answer.is_success:
            return
        answer.read()
        try:
            problem = self._json(answer)
        except Failed:
            problem = {"detail": f"{self.server} answered {answer.status_code} {answer.reason_phrase}"}
        raise Refused(answer.status_code, problem)

    def _send(
        self, method: str, path: str, body: Mapping[str, object] | None, query: Mapping[str, str], attempts: int
    ) -> httpx.Response:
        for attempt in range(attempts):
            try:
                return self._http.request(method, path, json=body, params=query)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if attempt == attempts - 1:
                    raise Failed(
                        f"no control plane answers at {self.server} ({error}): start one with `fairlead serve`, or "
                        "name it with --server or FAIRLEAD_SERVER"
                    ) from None
                time.sleep(_PAUSE_S * 2**attempt)
            except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
                raise Failed(f"--server {self.server!r} is not a URL: {error}", Exit.INVALID) from None
            except httpx.TransportError as error:
                what = "the answer was lost" if method == "GET" else "it may or may not have been done"
                raise Failed(f"{self.server} broke off ({str(error) or type(error).__name__}): {what}") from None
        raise AssertionError  # the last attempt returns or raises

    def _json(self, answer: httpx.Response) -> Json:
        if not answer.content:
            return {}
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Failed(f"{self.server} answered no JSON document: is it a Fairlead control plane?")
        return found
