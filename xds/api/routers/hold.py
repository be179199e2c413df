"""What is wrong now, and an operator's word about a store that is not believed."""

from __future__ import annotations

from fastapi import APIRouter

from xds.api.body import DocumentRoute
from xds.api.caller import CallerOf, PlaneOf
from xds.api.openapi import reads, writes
from xds.api.pages import PagingOf
from xds.api.schemas.hold import AlarmList, AlarmOut, DecisionIn, DecisionOut, HoldOut, SideOut
from xds.control.hold import Keep
from xds.control.ports import Loaded

router = APIRouter(prefix="/v1", route_class=DocumentRoute, tags=["control plane"])


@router.get("/alarms", summary="List what is wrong now", responses=reads(404))
async def list_alarms(plane: PlaneOf, paging: PagingOf) -> AlarmList:
    """Return every alarm that stands, the most urgent first."""
    found = {f"{at:09}": alarm for at, alarm in enumerate(plane.alarms.standing)}
    keys, cursor = paging.cut(found)
    items = [
        AlarmOut(
            kind=alarm.kind,
            object=alarm.object,
            priority=alarm.priority.name.lower(),
            message=alarm.message,
            since=plane.alarms.since(alarm),
        )
        for alarm in map(found.__getitem__, keys)
    ]
    return AlarmList(items=items, next=cursor, revision=plane.intent.revision)


@router.get("/hold", summary="Is the store believed?", responses=reads(404))
async def read_hold(plane: PlaneOf) -> HoldOut:
    """Return why nothing is accepted, and what is held against what; `held` is false in peace."""
    hold = plane.store_keeping.hold
    if hold is None:
        return HoldOut(held=False, reason="", aside="", served=None, stored=None, differences={})
    return HoldOut(
        held=True,
        reason=hold.reason,
        aside=hold.aside,
        served=_side(hold.served),
        stored=_side(hold.stored),
        differences=dict(hold.differences),
    )


@router.post("/hold:release", summary="Decide what to go on with", responses=writes(404))
async def release(document: DecisionIn, caller: CallerOf) -> DecisionOut:
    """Make what is served, or what the store holds, what counts from now on; 409 when nothing is held."""
    reason = document.reason or f"hold released, {document.keep} kept"
    revision = await caller.plane.store_keeping.decide(Keep(document.keep), caller.actor, reason)
    return DecisionOut(revision=revision)


def _side(loaded: Loaded) -> SideOut:
    return SideOut(revision=loaded.revision, objects=len(loaded.objects))
