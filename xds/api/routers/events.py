"""Events: every revision once, in order, as server-sent events that can be taken up again where they broke off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response, StreamingResponse

from xds.api.body import DocumentRoute
from xds.api.caller import PlaneOf
from xds.api.openapi import reads
from xds.control.feed import Feed
from xds.control.ports import Change, Revision
from xds.model.names import DEFAULT_ENV
from xds.model.problems import FairleadError, Gone, Unavailable

router = APIRouter(prefix="/v1", route_class=DocumentRoute, tags=["journal"])

STREAMS: Final = 256  # watchers at a time
BEAT: Final = 10.0  # seconds of silence after which a comment says that the stream lives
LOOK_UP: Final = 0.5  # seconds after which a watcher sees that the server wants to stop

_EXAMPLE: Final = (
    "id: 12\nevent: revision\ndata: "
    '{"revision":12,"at":"2026-01-02T03:04:05.678+00:00","changes":[{"kind":"instance","object":"web-1",'
    '"service":"default/web","what":"created","actor":"api:anonymous","reason":""}]}\n\n'
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Where a watcher goes on, and which changes it wants."""

    after: Annotated[int | None, Query(ge=0, description="the last revision that you have; none: only new ones")] = None
    kind: Annotated[str, Query(max_length=64, description="only changes of this kind")] = ""
    service: Annotated[str, Query(max_length=128, description="only changes about this service")] = ""
    env: Annotated[str, Query(max_length=128, description="the service's environment")] = DEFAULT_ENV
    last_event_id: Annotated[
        str | None, Header(max_length=18, pattern="^[0-9]*$", description="as browsers send it; counts before `after`")
    ] = None

    @property
    def begin(self) -> int | None:
        """Return the revision after which the watcher wants to go on."""
        return int(self.last_event_id) if self.last_event_id else self.after

    def wants(self, change: Change) -> bool:
        """Say whether a change is of interest."""
        service = f"{self.env}/{self.service}" if self.service else ""
        return self.kind in {"", change.kind} and service in {"", change.service}


@router.get(
    "/events",
    summary="Watch every revision",
    response_class=Response,
    responses={
        **reads(404),
        200: {"content": {"text/event-stream": {"example": _EXAMPLE}}, "description": "server-sent events"},
        410: reads()[500],
        503: reads()[500],
    },
)
async def watch(request: Request, plane: PlaneOf, asked: Annotated[Asked, Depends()]) -> Response:
    """Stream each revision above `after` once, in order, with what it changed, who did it and why.

    Comments say that the stream lives, and move the resume point past revisions without an interesting change. A resume
    point that the journal has forgotten is 410: list what there is, and watch from the list's `revision` on.
    """
    if request.app.state.streams >= STREAMS:
        raise Unavailable(f"{STREAMS} watchers are connected already: try again", code="too_many_streams")
    feed = plane.feed
    begin = asked.begin if asked.begin is not None else feed.last
    if begin > feed.last:
        raise Gone(f"revision {begin} does not exist yet, the newest is {feed.last}: list what there is anew")
    events = _events(request, feed, begin, await feed.read(begin), asked)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(_counted(request, events), media_type="text/event-stream", headers=headers)


async def _counted(request: Request, events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    request.app.state.streams += 1
    try:
        async for event in events:
            yield event
    finally:
        request.app.state.streams -= 1


async def _events(
    request: Request, feed: Feed, after: int, page: Sequence[Revision], asked: Asked
) -> AsyncIterator[bytes]:
    yield f"retry: 1000\nid: {after}\n\n".encode()
    clock = asyncio.get_running_loop().time
    beat = clock() + BEAT
    while not request.app.state.stopping:
        told = after
        for revision in page:
            after = revision.number
            if changes := [change for change in revision.changes if asked.wants(change)]:
                yield _event(revision, changes)
                told = after
                beat = clock() + BEAT
        if clock() >= beat or (after != told and not page):
            yield f": {feed.last - after} behind\nid: {after}\n\n".encode()
            beat = clock() + BEAT
        page = ()
        if await feed.wait(after, min(LOOK_UP, max(0.0, beat - clock()))):
            try:
                page = await feed.read(after)
            except FairleadError as error:  # forgotten meanwhile, or not to be read now: come again and be told
                yield f"event: end\ndata: {json.dumps({'code': error.code, 'detail': error.message})}\n\n".encode()
                return


def _event(revision: Revision, changes: Sequence[Change]) -> bytes:
    data = {
        "revision": revision.number,
        "at": revision.at,
        "changes": [
            {
                "kind": change.kind,
                "object": change.key,
                "service": change.service,
                "what": change.what,
                "actor": change.actor,
                "reason": change.reason,
            }
            for change in changes
        ],
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"id: {revision.number}\nevent: revision\ndata: {text}\n\n".encode()
