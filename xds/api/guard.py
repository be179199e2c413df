"""The first thing a request meets: its id, who it is, and the last thing: one line in the access log.

Plain ASGI, because it stands around everything, unknown paths and failures included. It never logs a header or a
query, so no token can reach a log through it.
"""

from __future__ import annotations

import hmac
import ipaddress
import itertools
import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from xds.api import problem_document
from xds.api.body import discard
from xds.api.problem_document import Unauthenticated
from xds.api.settings import ApiSettings
from xds.model.problems import FairleadError, Forbidden, Unavailable

OPEN: Final = frozenset({"/healthz", "/readyz"})
"""Paths that need no token: a supervisor asks before it has one."""

_access = logging.getLogger("fairlead.api.access")
_log = logging.getLogger("fairlead.api")


class Guard:
    """Wraps the application: authenticates, catches what nobody else caught, logs."""

    def __init__(self, app: ASGIApp, settings: ApiSettings, is_ready: Callable[[], bool]) -> None:
        """Keep the token as bytes, to be compared in constant time."""
        self._app = app
        self._is_ready = is_ready
        self._settings = settings
        self._token = settings.token.encode() if settings.token is not None else None
        self._ids = map("{}-{:x}".format, itertools.repeat(secrets.token_hex(4)), itertools.count(1))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope["fairlead.request"] = next(self._ids)
        started, status = time.perf_counter(), 500
        began = False

        async def watched(message: Message) -> None:
            nonlocal status, began
            if message["type"] == "http.response.start":
                status, began = message["status"], True
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            refusal = self._refusal(scope)
            if refusal is None:
                await self._app(scope, receive, watched)
            else:
                if _has_body(scope):
                    await discard(receive, self._settings.body_deadline)
                await _answer(refusal, scope)(scope, receive, watched)
        except Exception:
            _log.exception("request %s failed", request_id)
            if began:
                raise
            await problem_document.reply(problem_document.of_status(500, request_id=request_id))(
                scope, receive, watched
            )
        finally:
            _write(scope, status, time.perf_counter() - started)

    def _refusal(self, scope: Scope) -> FairleadError | None:
        """Return why this request is not served, or None."""
        headers = Headers(scope=scope)
        if self._settings.checks_host and not (is_loopback(headers.get("host")) and _own(headers.get("origin"))):
            return Forbidden(
                "without a token this API answers to localhost only: the Host or Origin header names something else",
                code="foreign_host",
            )
        if scope["path"] in OPEN:
            return None
        if not self._is_ready():
            return Unavailable("the control plane has not loaded its state yet: try again", code="not_ready")
        if self._token is None:
            return None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode("utf-8", "replace"), self._token):
            return None
        return Unauthenticated("this API needs `Authorization: Bearer <token>`")


def is_loopback(host: str | None) -> bool:
    """Say whether a Host header (`name`, `name:port`, `[v6]:port`) names this machine itself."""
    if not host:
        return False
    name = host[1:].partition("]")[0] if host.startswith("[") else host.rpartition(":")[0] or host
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _own(origin: str | None) -> bool:
    """Say whether a request comes from no page at all, or from one of this machine."""
    return origin is None or is_loopback(origin.partition("://")[2])


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _answer(error: FairleadError, scope: Scope) -> Response:
    body = problem_document.document(error, request_id=scope["fairlead.request"])
    return problem_document.reply(body, headers_of(error))


def headers_of(error: FairleadError) -> Mapping[str, str]:
    """Return the headers that belong to an error. A body that was not read to its end closes the connection."""
    match problem_document.status_of(error):
        case 401:
            return {"www-authenticate": 'Bearer realm="fairlead"', "connection": "close"}
        case 403 if error.code == "foreign_host":
            return {"connection": "close"}
        case 408 | 413:
            return {"connection": "close"}
        case 503 if error.code in {"hold", "store_failed"}:
            return {"retry-after": "30"}  # a person has to decide
        case 503:
            return {"retry-after": "1"}
    return {}


def _write(scope: Scope, status: int, seconds: float) -> None:
    if not _access.isEnabledFor(logging.INFO):
        return
    route, client = scope.get("route"), scope.get("client")
    fields = {
        "request": scope["fairlead.request"],
        "method": scope["method"],
        "path": scope["path"][:512],
        "route": getattr(route, "path", None),
        "status": status,
        "ms": round(seconds * 1000, 2),
        "peer": client[0] if client else None,
    }
    _access.info(json.dumps(fields), extra={"fields": fields})
