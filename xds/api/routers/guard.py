"""The shrink guard: what is held because only silence speaks for its removal, and an operator's word to let go."""

from __future__ import annotations

from fastapi import APIRouter

from xds.api.body import DocumentRoute
from xds.api.caller import CallerOf, PlaneOf, env_of
from xds.api.openapi import reads, writes
from xds.api.pages import AnyEnv, PagingOf, check_env, is_in
from xds.api.schemas.guard import HeldList, HeldOut, ReleaseIn, ReleaseOut
from xds.control.ports import Receipt
from xds.model.declare import Delete
from xds.model.intent import Kind, Ref
from xds.model.names import DEFAULT_ENV
from xds.model.view import Member

router = APIRouter(prefix="/v1", route_class=DocumentRoute, tags=["guard"])


@router.get("/guard", summary="List what the shrink guard holds", responses=reads(404))
async def list_held(plane: PlaneOf, paging: PagingOf, env: AnyEnv = DEFAULT_ENV) -> HeldList:
    """Return the instances that went by absence alone and are served on, by id."""
    wanted = check_env(env)
    held = {name: each for name, each in plane.intent.held.items() if is_in(each.instance.service.env, wanted)}
    ids, cursor = paging.cut(held)
    return HeldList(items=[_held_out(held[each]) for each in ids], next=cursor, revision=plane.intent.revision)


@router.post("/guard:release", summary="Let go what the shrink guard holds", responses=writes(404))
async def release(document: ReleaseIn, caller: CallerOf) -> ReleaseOut:
    """Take the absence of held instances for real; each gets a line in the journal with the reason."""
    env, intent = env_of(document.env, None), caller.plane.intent
    names = [
        Ref(Kind.INSTANCE, name)
        for name, held in sorted(intent.held.items())
        if held.instance.service.env == env and document.service in {None, held.instance.service.name}
    ]
    outcomes = await caller.declare_each([Delete(name) for name in names], reason=document.reason or "guard released")
    released = [name.key for name, found in zip(names, outcomes, strict=True) if isinstance(found, Receipt)]
    return ReleaseOut(released=released, revision=intent.revision)


def _held_out(held: Member) -> HeldOut:
    instance = held.instance
    return HeldOut(
        id=instance.id,
        env=instance.service.env,
        service=instance.service.name,
        version=instance.version,
        address=str(instance.endpoint(next(iter(instance.ports)))),
        health=held.health.value,
    )
