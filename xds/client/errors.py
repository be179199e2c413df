"""What can go wrong between an application and the control plane, one class for each thing to be done about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final


class ClientError(Exception):
    """Anything of the below."""


class Unreachable(ClientError):
    """No answer came: the control plane is away, or the way to it. What was asked may or may not have been done."""


class Refused(ClientError):
    """The control plane said no, with its own words.

    `status` is HTTP's, `code` a stable slug, `pointer` the JSON pointer to the field that was wrong ("" for none).
    """

    def __init__(self, status: int, problem: Mapping[str, object]) -> None:
        """Read a problem document (RFC 9457)."""
        self.status = status
        self.code = str(problem.get("code", ""))
        self.pointer = str(problem.get("pointer", ""))
        detail = str(problem.get("detail") or problem.get("title") or f"HTTP {status}")
        super().__init__(f"{self.pointer}: {detail}" if self.pointer else detail)


class Invalid(Refused):
    """What was said can never be accepted as it is (400, 413, 415, 422): mend it."""


class Unauthenticated(Refused):
    """There is no token, or not this one (401)."""


class Forbidden(Refused):
    """The id belongs to somebody else (403)."""


class RegisterAgain(Refused):
    """The instance is not known any more (404 `register_again`): a heartbeat creates nothing."""


class StaleEpoch(Refused):
    """A newer incarnation has taken the id over (409 `stale_epoch`): whoever hears this is the old one."""


class Busy(Refused):
    """Not now, or too many (429, 5xx): the same may be accepted later."""


_BY_STATUS: Final[Mapping[int, type[Refused]]] = {
    400: Invalid,
    401: Unauthenticated,
    403: Forbidden,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    429: Busy,
}


def refused(status: int, problem: Mapping[str, object]) -> Refused:
    """Return the error that a status and its problem document stand for."""
    match problem.get("code"):
        case "register_again" | "not_found" if status == 404:
            return RegisterAgain(status, problem)
        case "stale_epoch":
            return StaleEpoch(status, problem)
    kind = _BY_STATUS.get(status, Busy if status >= 500 else Refused)
    return kind(status, problem)


def read(status: int, body: bytes) -> dict[str, object]:
    """Return the document of an answer ({} for none); Refused for a no, and for what no control plane would say."""
    try:
        found = json.loads(body) if body.strip() else {}
    except ValueError:
        found = None
    if isinstance(found, dict) and 200 <= status < 300:
        return found
    if not isinstance(found, dict):
        found = {"detail": f"HTTP {status} without a JSON document: is this a Fairlead control plane?"}
    raise refused(status, found)
