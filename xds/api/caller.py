"""Who asks, under which conditions: what a request's headers mean for the declarations it makes.

Ownership comes from how the caller authenticated and from nothing that it says of itself.

What FastAPI calls here are coroutines, though none waits: it runs a plain function in a thread, and a busy machine is
slow to give a thread its turn, several times a request.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request

from xds.api.body import fingerprint
from xds.api.ports import Telemetry
from xds.api.settings import ApiSettings
from xds.control.inbox import Outcome
from xds.control.plane import ControlPlane
from xds.control.ports import Receipt
from xds.model.declare import Change, Declaration
from xds.model.intent import Ref
from xds.model.names import DEFAULT_ENV, check_id
from xds.model.problems import FairleadError, InvalidInput, PreconditionFailed

_ETAG = re.compile(r'(?:W/)?"(\d{1,18})"|(\d{1,18})')
_KEY = re.compile(r"[\x21-\x7e]{1,200}")


async def plane_of(request: Request) -> ControlPlane:
    """Return the control plane that this application was made for."""
    plane: ControlPlane = request.app.state.plane
    return plane


async def settings_of(request: Request) -> ApiSettings:
    """Return the settings that this application was made with."""
    settings: ApiSettings = request.app.state.settings
    return settings


async def telemetry_of(request: Request) -> Telemetry:
    """Return the telemetry that this application was made with."""
    telemetry: Telemetry = request.app.state.telemetry
    return telemetry


@dataclass(frozen=True, slots=True)
class Caller:
    """One request's authority and conditions.

    `if_match` is a revision, -1 for "it must exist", 0 for "it must not", None for neither.
    """

    plane: ControlPlane
    actor: str
    if_match: int | None
    key: str | None
    fingerprint: str

    def declaration(
        self,
        change: Change,
        name: Ref | None = None,
        *,
        at: int | None = None,
        reason: str = "",
        force: bool = False,
    ) -> Declaration:
        """Return a change as this caller declares it; `at` is its place in a batch, `force` that he insists.

        PreconditionFailed when `name` must exist and does not.
        """
        expected = self.if_match
        if expected is not None and expected < 0:
            expected = self.plane.intent.revisions.get(name, 0) if name is not None else None
            if expected == 0:
                raise PreconditionFailed("If-Match: * asks for an object that does not exist")
        key = None if self.key is None else f"{self.actor} {self.key}" + ("" if at is None else f" {at}")
        return Declaration(
            change,
            self.actor,
            reason,
            if_match=expected,
            idempotency=key,
            fingerprint=self.fingerprint,
            operator=True,
            force=force,
        )

    async def declare(self, change: Change, name: Ref | None = None) -> Receipt:
        """Return the receipt of one change, once it is durable; raises why it was refused."""
        return await self.plane.declare(self.declaration(change, name))

    async def declare_each(
        self, changes: Sequence[Change | FairleadError], *, reason: str = "", first: int = 0
    ) -> list[Outcome]:
        """Return the outcome of each change of a batch; what is an error already keeps its place.

        `first` is the place in the batch of the first of them.
        """
        asked = [
            self.declaration(change, at=at, reason=reason)
            for at, change in enumerate(changes, first)
            if not isinstance(change, FairleadError)
        ]
        done = iter(await self.plane.submit(asked) if asked else ())
        return [change if isinstance(change, FairleadError) else next(done) for change in changes]


async def caller_of(
    request: Request,
    if_match: Annotated[
        str | None, Header(description='the revision that you saw, as in `"12"`; `*`: it must exist')
    ] = None,
    if_none_match: Annotated[str | None, Header(description="`*`: it must not exist yet")] = None,
    idempotency_key: Annotated[
        str | None, Header(description="the same key with the same request is answered again, not done again")
    ] = None,
) -> Caller:
    """Read the conditions of a write; InvalidInput names the header that makes no sense."""
    return _caller(request, if_match, if_none_match, idempotency_key)


def caller_in(request: Request) -> Caller:
    """Return the caller of a request, without FastAPI's help."""
    said = request.headers
    return _caller(request, said.get("if-match"), said.get("if-none-match"), said.get("idempotency-key"))


def _caller(request: Request, if_match: str | None, if_none_match: str | None, key: str | None) -> Caller:
    settings: ApiSettings = request.app.state.settings
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidInput("Idempotency-Key is 1 to 200 visible ASCII characters", code="idempotency_key")
    return Caller(
        plane=request.app.state.plane,
        actor="api:token" if settings.token is not None else "api:anonymous",
        if_match=_condition(if_match, if_none_match),
        key=key,
        fingerprint=request.scope.get("fairlead.fingerprint") or fingerprint(request, b""),
    )


def _condition(if_match: str | None, if_none_match: str | None) -> int | None:
    if if_none_match is not None:
        if if_none_match.strip() != "*" or if_match is not None:
            raise InvalidInput("a write takes If-None-Match: * or If-Match, not both", code="if_none_match")
        return 0
    if if_match is None:
        return None
    if if_match.strip() == "*":
        return -1
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        raise InvalidInput(f'If-Match: {if_match[:64]!r} is not one revision, as in "12"', code="if_match")
    return int(found[1] or found[2])


def env_of(said: str | None, query: str | None) -> str:
    """Return the environment that a document and the query name together; InvalidInput when they differ."""
    if said is not None and query is not None and said != query:
        raise InvalidInput(f"the query says env {query[:64]!r}, the document {said!r}", pointer="/env")
    return check_id(said or query or DEFAULT_ENV, pointer="/env", what="env")


def etag(revision: int) -> str:
    """Return the entity tag of a revision."""
    return f'"{revision}"'


PlaneOf = Annotated[ControlPlane, Depends(plane_of)]
TelemetryOf = Annotated[Telemetry, Depends(telemetry_of)]
SettingsOf = Annotated[ApiSettings, Depends(settings_of)]
CallerOf = Annotated[Caller, Depends(caller_of)]
