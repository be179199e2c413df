"""Request bodies: how many bytes are read, how long that may take, and what is made of them.

Bytes are counted as they arrive, because Content-Length is a claim. The route class here stands before FastAPI's own
reading: what it hands on has been through `json_text`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive

from xds.api import json_text
from xds.api.problem_document import PayloadTooLarge, SeveralErrors, TooSlow, UnsupportedMedia
from xds.api.settings import ApiSettings
from xds.api.validation import explain
from xds.model.problems import InvalidInput

MAX_DISCARDED: Final = 64 << 20
AT_ONCE: Final = 256 << 10  # bytes of JSON that are parsed between two turns of the event loop: about 5 ms

BATCH: Final = "batch"
"""The tag of routes that take many objects, and may be larger for it."""


SLICE: Final = 500
"""Items of a batch that are worked on between two turns of the event loop."""

Endpoint = TypeVar("Endpoint", bound=Callable[..., object])


class ReadRequest(Request):
    """A request whose body has been read and parsed."""

    def __init__(self, request: Request, raw: bytes, value: object) -> None:
        """Stand in for `request`, which has no body left."""
        super().__init__(request.scope, request.receive)
        self._raw = raw
        self._value = value

    async def body(self) -> bytes:
        """Return the bytes that arrived."""
        return self._raw

    async def json(self) -> object:
        """Return what they mean."""
        return self._value


ShortWay = Callable[[Request, object], Coroutine[Any, Any, Response | None]]
"""Answers a request with a document that is plainly right; None leaves it to the long way."""


def short_way(way: ShortWay) -> Callable[[Endpoint], Endpoint]:
    """Let `way` look at each document of an endpoint before FastAPI does, which takes longer than all the rest."""

    def marked(endpoint: Endpoint) -> Endpoint:
        endpoint.short_way = way  # type: ignore[attr-defined]  # read below, and nowhere else
        return endpoint

    return marked


class DocumentRoute(APIRoute):
    """A route that takes a JSON document, bounded and strict, and explains what is wrong with one."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:  # Any: as FastAPI declares it
        """Return FastAPI's handler with our reading before it."""
        inner = super().get_route_handler()
        is_batch = BATCH in self.tags
        schema = self.body_field.field_info.annotation if self.body_field is not None else None
        short: ShortWay | None = getattr(self.endpoint, "short_way", None)

        async def handle(request: Request) -> Response:
            if schema is not None:
                request = await _read(request, is_batch=is_batch)
                if short is not None and (answer := await short(request, await request.json())) is not None:
                    return answer
            try:
                return await inner(request)
            except RequestValidationError as error:
                raise _explained(error, schema) from error

        return handle


def _explained(error: RequestValidationError, schema: object) -> SeveralErrors:
    """Return our words for a wrong body, or a wrong query parameter or header."""
    found = error.errors()
    body = [{**item, "loc": item["loc"][1:]} for item in found if item["loc"][0] == "body"]
    if body:
        return explain(body, schema)
    told = explain([{**item, "loc": item["loc"][1:]} for item in found], None)
    words = [
        ("", f"{item['loc'][0]} parameter {item['loc'][-1]}: {detail}")
        for item, (_, detail) in zip(found, told.errors, strict=False)
    ]
    return SeveralErrors(words, code="parameter")


async def _read(request: Request, *, is_batch: bool) -> Request:
    settings: ApiSettings = request.app.state.settings
    limit = settings.max_batch_body if is_batch else settings.max_body
    raw = await read_bytes(request, limit, settings.body_deadline)
    request.scope["fairlead.fingerprint"] = fingerprint(request, raw)
    if not raw.strip():
        return ReadRequest(request, b"", None)
    _check_media(request)
    if len(raw) <= AT_ONCE:
        return ReadRequest(request, raw, json_text.parse(raw))
    # In a thread the parser lets go of the interpreter at every object, so that the event loop turns meanwhile.
    return ReadRequest(request, raw, await asyncio.to_thread(json_text.parse, raw))


async def read_bytes(request: Request, limit: int, deadline: float) -> bytes:
    """Return the body; PayloadTooLarge above `limit` bytes, TooSlow when it is not there after `deadline` seconds."""
    claimed = request.headers.get("content-length", "")
    if claimed.isdigit() and (len(claimed) > 18 or int(claimed) > limit):
        await discard(request.receive, deadline)
        raise PayloadTooLarge(f"the body has {claimed[:18]} bytes, at most {limit} are read")
    parts = bytearray()
    try:
        async with asyncio.timeout(deadline):
            async for part in request.stream():
                parts += part
                if len(parts) > limit:
                    break
    except TimeoutError:
        raise TooSlow(f"the body was not complete after {deadline:g} s") from None
    if len(parts) > limit:
        parts.clear()
        await discard(request.receive, deadline)
        raise PayloadTooLarge(f"the body has more than {limit} bytes")
    return bytes(parts)


async def discard(receive: Receive, seconds: float) -> None:
    """Read what is left of a body and keep none of it, for so long and up to MAX_DISCARDED bytes.

    A connection that is closed while bytes are under way is reset, and the client never sees the answer.
    """
    left = MAX_DISCARDED
    try:
        async with asyncio.timeout(seconds):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return


def fingerprint(request: Request, raw: bytes) -> str:
    """Return a digest of what is asked: method, path, query and body. Two requests under one key must agree in it."""
    head = f"{request.method} {request.url.path}?{request.url.query}\n".encode("utf-8", "replace")
    return hashlib.sha256(head + raw).hexdigest()[:32]


def _check_media(request: Request) -> None:
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    kind = kind.strip().lower()
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise UnsupportedMedia(f"the body is declared to be {kind[:64] or 'nothing'!r}; send application/json")
    if charset not in {"", "utf-8", "utf8", "us-ascii"}:
        raise UnsupportedMedia(f"the body is declared to be in {charset[:64]!r}; send UTF-8")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("compressed bodies are not read")


def check_items(items: list[object], limit: int) -> None:
    """Refuse a batch of more than `limit` items before any of them is looked at."""
    if len(items) > limit:
        raise PayloadTooLarge(f"{len(items)} items, at most {limit} are taken at once", pointer="/items")
    if not items:
        raise InvalidInput("the batch is empty", pointer="/items")
