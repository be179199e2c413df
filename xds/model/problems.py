"""Whose fault it is, in one tree, and the one value that reports a bad object.

    FairleadError
    ├── InvalidInput        the caller sent something that can never work      HTTP 422, CLI exit 2
    ├── NotFound            the caller names something that does not exist     HTTP 404
    ├── Forbidden           somebody else owns it                              HTTP 403
    ├── Conflict            it could work, but not in this state               HTTP 409
    ├── PreconditionFailed  it changed since the caller looked (If-Match)      HTTP 412
    ├── Gone                it was there, and is not kept any more             HTTP 410
    ├── TooMany             a quota is used up                                 HTTP 429
    ├── Unavailable         a part of ours is missing for now: try again       HTTP 503
    ├── PeerError           an xDS client broke the protocol                   gRPC INVALID_ARGUMENT
    └── Inconsistent        we built something Envoy would refuse              not published, alarm

It knows nothing of HTTP or gRPC: the edges map the classes, as the right-hand column says.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class FairleadError(Exception):
    """An error that says whose fault it is and where.

    `pointer` is an RFC 6901 JSON pointer to the offending field of the caller's document ("" means the
    whole document); `code` is a short stable slug for programs.
    """

    slug: ClassVar[str] = "error"

    def __init__(self, message: str, *, pointer: str = "", code: str = "") -> None:
        """Keep the words, the place and the slug; the slug defaults to the class's own."""
        super().__init__(message)
        self.message = message
        self.pointer = pointer
        self.code = code or self.slug

    def under(self, prefix: str) -> FairleadError:
        """Return the same error seen from a document that holds the offending one at `prefix`."""
        moved = type(self)(self.message, pointer=prefix + self.pointer, code=self.code)
        moved.__cause__ = self.__cause__
        return moved


class InvalidInput(FairleadError):
    """The caller's document can never be accepted as it is."""

    slug = "invalid_input"


class NotFound(FairleadError):
    """The caller names something that does not exist."""

    slug = "not_found"


class Forbidden(FairleadError):
    """The object belongs to another owner."""

    slug = "forbidden"


class Conflict(FairleadError):
    """The request is well formed but not legal in the present state."""

    slug = "conflict"


class PreconditionFailed(FairleadError):
    """The object is not at the revision that the caller expects."""

    slug = "stale_revision"


class Gone(FairleadError):
    """What the caller asks for was there once and is not kept any more."""

    slug = "gone"


class TooMany(FairleadError):
    """A quota is used up; the same request may succeed once something is gone."""

    slug = "quota"


class Unavailable(FairleadError):
    """A part of ours cannot serve now; the same request may succeed later."""

    slug = "unavailable"


class PeerError(FairleadError):
    """An xDS client broke the protocol; its stream ends, nobody else's does."""

    slug = "peer_error"


class Inconsistent(FairleadError):
    """What we built contradicts itself; it is not published, the last good snapshot stays."""

    slug = "inconsistent"


class Severity(StrEnum):
    """How loud a problem is: an error costs the object, a warning costs nothing yet."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One object that could not be used as it is; everything else goes on.

    `kind` and `object` name it (`route`, `default/web.api`), `pointer` the field within it, `message` says
    what is wrong and what happens instead.
    """

    kind: str
    object: str
    pointer: str
    message: str
    severity: Severity = Severity.ERROR
