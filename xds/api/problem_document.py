"""RFC 9457 problem documents: every error of the API, whoever noticed it, in one shape.

It maps the error tree of the model to status codes and knows the words for those that HTTP itself raises. What an
unexpected failure was stands in the log under the request's id, never in the answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from fastapi.responses import Response

from xds.api.json_text import BrokenJson
from xds.model.problems import (
    Conflict,
    FairleadError,
    Forbidden,
    Gone,
    Inconsistent,
    InvalidInput,
    NotFound,
    PeerError,
    PreconditionFailed,
    TooMany,
    Unavailable,
)

MEDIA_TYPE: Final = "application/problem+json"


class PayloadTooLarge(InvalidInput):
    """More bytes, or more items, than one request may hold (HTTP 413)."""

    slug = "too_large"


class UnsupportedMedia(InvalidInput):
    """The body is not declared to be plain JSON (HTTP 415)."""

    slug = "media_type"


class TooSlow(InvalidInput):
    """The body did not arrive in time (HTTP 408)."""

    slug = "too_slow"


class Unauthenticated(FairleadError):
    """There is no token, or not this one (HTTP 401)."""

    slug = "unauthenticated"


STATUS: Final[Mapping[type[FairleadError], int]] = {
    BrokenJson: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    TooSlow: 408,
    Conflict: 409,
    Gone: 410,
    PreconditionFailed: 412,
    PayloadTooLarge: 413,
    UnsupportedMedia: 415,
    InvalidInput: 422,
    TooMany: 429,
    PeerError: 500,
    Inconsistent: 500,
    Unavailable: 503,
}
"""The status of each class; a subclass that is not listed has that of its nearest ancestor."""


class SeveralErrors(InvalidInput):
    """A document with wrong fields: the first in `pointer`, all of them in `errors` as (pointer, words)."""

    def __init__(self, errors: Sequence[tuple[str, str]], *, code: str = "") -> None:
        """Keep them all; the words of the first are the message."""
        pointer, message = errors[0]
        super().__init__(message, pointer=pointer, code=code)
        self.errors = tuple(errors)


def status_of(error: FairleadError) -> int:
    """Return the HTTP status of an error."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def document(error: FairleadError, *, request_id: str = "") -> dict[str, object]:
    """Return the problem document of an error as a JSON-able mapping."""
    status = status_of(error)
    detail = error.message if status != HTTPStatus.INTERNAL_SERVER_ERROR else _internal(request_id)
    found = of_status(status, detail, code=error.code, pointer=error.pointer, request_id=request_id)
    if isinstance(error, SeveralErrors):
        found["errors"] = [{"pointer": pointer, "detail": words} for pointer, words in error.errors]
    return found


def of_status(
    status: int, detail: str = "", *, code: str = "", pointer: str = "", request_id: str = ""
) -> dict[str, object]:
    """Return a problem document for a bare status."""
    title = HTTPStatus(status).phrase
    slug = code or title.lower().replace(" ", "_")
    found: dict[str, object] = {
        "type": f"urn:fairlead:problem:{slug}",
        "title": title,
        "status": status,
        "detail": detail or (_internal(request_id) if status == HTTPStatus.INTERNAL_SERVER_ERROR else title),
        "code": slug,
        "pointer": pointer,
    }
    if request_id:
        found["request"] = request_id
    return found


def reply(body: Mapping[str, object], headers: Mapping[str, str] | None = None) -> Response:
    """Return the response that carries a problem document."""
    content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    status = body["status"]
    return Response(content, status if isinstance(status, int) else 500, dict(headers or {}), MEDIA_TYPE)


def _internal(request_id: str) -> str:
    where = f"; the log has more under request {request_id}" if request_id else ""
    return f"something went wrong on our side{where}"
