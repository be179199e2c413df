"""Overlays: what operators lay over declarations for a time."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from xds.api.body import DocumentRoute
from xds.api.caller import CallerOf, PlaneOf, env_of, etag
from xds.api.convert.overlay import overlay_of, overlay_out
from xds.api.openapi import reads, writes
from xds.api.pages import AnyEnv, Env, PagingOf, check_env, is_in
from xds.api.schemas.overlay import OverlayIn, OverlayList, OverlayOut
from xds.model.declare import Delete, Put
from xds.model.intent import Kind, Ref
from xds.model.names import DEFAULT_ENV
from xds.model.overlay import Overlay
from xds.model.problems import NotFound

router = APIRouter(prefix="/v1", route_class=DocumentRoute, tags=["overlays"])

OverlayId = Annotated[str, Path(max_length=256, description="the overlay's id")]
Force = Annotated[bool, Query(description="also where nobody would be left to serve, or nothing matches")]


@router.get("/overlays", summary="List overlays", responses=reads(404))
async def list_overlays(plane: PlaneOf, paging: PagingOf, env: AnyEnv = DEFAULT_ENV) -> OverlayList:
    """Return the overlays of an environment, by id."""
    wanted = check_env(env)
    known = {overlay.id: overlay for overlay in plane.intent.overlays if is_in(overlay.env, wanted)}
    names, cursor = paging.cut(known)
    items = [overlay_out(plane, known[name]) for name in names]
    return OverlayList(items=items, next=cursor, revision=plane.intent.revision)


@router.get("/overlays/{overlay}", summary="Read an overlay", responses=reads())
async def read_overlay(overlay: OverlayId, plane: PlaneOf, response: Response) -> OverlayOut:
    """Return an overlay with what it picks now."""
    found = plane.intent.overlays.get(overlay)
    if found is None:
        raise NotFound(f"overlay {overlay} does not exist")
    shown = overlay_out(plane, found)
    response.headers["etag"] = etag(shown.revision)
    return shown


@router.put("/overlays/{overlay}", summary="Lay an overlay", responses=writes())
async def put_overlay(  # noqa: PLR0913 - path, query, body and what FastAPI hands in
    overlay: OverlayId,
    document: OverlayIn,
    caller: CallerOf,
    response: Response,
    env: Env = None,
    force: Force = False,
) -> OverlayOut:
    """Drain or weigh instances, or pin a service's users. It outlives re-registrations and restarts.

    To say it again begins its time again. What would leave nobody to serve users is refused unless it is forced, and
    the journal then tells what that cost.
    """
    plane, at = caller.plane, env_of(document.env, env)
    declared = overlay_of(document, overlay, at, caller.actor, plane.clock.wall())
    is_new = plane.intent.overlays.get(overlay) is None
    change, name = Put(declared), Ref(Kind.OVERLAY, overlay)
    receipt = await plane.declare(caller.declaration(change, name, reason=document.reason, force=force))
    if not isinstance(receipt.declared, Overlay):
        raise NotFound(f"overlay {overlay} was taken back meanwhile")
    response.status_code = 201 if is_new and not receipt.replayed else 200
    response.headers["etag"] = etag(receipt.revision)
    return overlay_out(plane, receipt.declared, revision=receipt.revision)


@router.delete("/overlays/{overlay}", summary="Take an overlay back", status_code=204, responses=writes())
async def delete_overlay(overlay: OverlayId, caller: CallerOf) -> Response:
    """Let declarations hold again."""
    target = Ref(Kind.OVERLAY, overlay)
    await caller.declare(Delete(target), target)
    return Response(status_code=204)
