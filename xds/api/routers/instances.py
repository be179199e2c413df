"""Instances: one by one and in batches."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import TypeAdapter, ValidationError

from xds.api.body import BATCH, SLICE, DocumentRoute, check_items, short_way
from xds.api.caller import Caller, CallerOf, PlaneOf, SettingsOf, caller_in, etag
from xds.api.convert.instance import instance_of, instance_out
from xds.api.convert.verdict import verdict_out
from xds.api.openapi import reads, writes
from xds.api.pages import PagingOf
from xds.api.results import many, refused
from xds.api.schemas.instance import (
    BatchIn,
    BatchOut,
    DeregisterIn,
    InstanceId,
    InstanceIn,
    InstanceList,
    InstanceOut,
    NamedHeartbeatIn,
    RenewalIn,
)
from xds.api.validation import explain
from xds.control.inbox import Outcome
from xds.control.plane import ControlPlane
from xds.control.ports import Receipt
from xds.model import intake
from xds.model.declare import Change, Delete, Put
from xds.model.instance import Instance
from xds.model.intent import Kind, Ref, ref
from xds.model.problems import FairleadError, NotFound
from xds.model.selector import Operator, Requirement, Selector

router = APIRouter(prefix="/v1", route_class=DocumentRoute, tags=["instances"])

_ITEM = TypeAdapter(InstanceIn)
_LEAVING = TypeAdapter(NamedHeartbeatIn)
_RENEWAL = TypeAdapter(RenewalIn)


@router.get("/instances", summary="List instances by selector", responses=reads(404))
async def list_instances(
    plane: PlaneOf,
    paging: PagingOf,
    selector: Annotated[str, Query(description="as in `version in (v1,v2),env!=dev,!canary`")] = "",
    service: Annotated[str | None, Query(max_length=128, description="only of this service")] = None,
    env: Annotated[str | None, Query(max_length=128, description="only of this environment; all when left out")] = None,
) -> InstanceList:
    """Return the instances that a selector picks, by id."""
    wanted = Selector.parse(selector)
    for key, value in (("service", service), ("env", env)):
        if value is not None:
            wanted &= Selector((Requirement(key, Operator.IN, (value,)),))
    ids, cursor = paging.cut(plane.intent.index.select(wanted))
    items = [_out(plane, plane.intent.instances[member]) for member in ids]
    return InstanceList(items=items, next=cursor, revision=plane.intent.revision)


@router.post("/instances", summary="Register an instance under a derived id", status_code=201, responses=writes(404))
async def register(document: InstanceIn, caller: CallerOf, response: Response) -> InstanceOut:
    """Register an instance whose id may be derived from service, address and port; the same again changes nothing."""
    return _answer(caller.plane, await caller.declare(Put(instance_of(document, caller.actor))), response)


@router.post(
    "/instances:batch", summary="Register many instances", tags=[BATCH], responses=writes(404), response_model=BatchOut
)
async def register_many(document: BatchIn, caller: CallerOf, settings: SettingsOf) -> Response:
    """Commit all that can be accepted, 500 at a time; each item gets its own revision or its own error."""
    items = list[object](document.items)
    check_items(items, settings.max_batch_items)
    results: list[str] = []
    for first in range(0, len(items), SLICE):  # what others ask for meanwhile has its turn between two slices
        changes = [_put(item, caller.actor) for item in items[first : first + SLICE]]
        results += map(_result, changes, await caller.declare_each(changes, first=first))
    return many(results)


@router.get("/instances/{instance_id}", summary="Read an instance", responses=reads())
async def read_instance(instance_id: InstanceId, plane: PlaneOf, response: Response) -> InstanceOut:
    """Return an instance with its health, whose word that rests on, and what is left of its lease."""
    instance = plane.intent.instances.get(instance_id)
    if instance is None:
        raise NotFound(f"instance {instance_id} does not exist")
    found = _out(plane, instance).model_copy(update={"verdict": verdict_out(plane, instance_id)})
    response.headers["etag"] = etag(found.revision)
    return found


async def _put_plain(request: Request, document: object) -> Response | None:
    """Register an instance that is plainly right: the same as `put_instance`, in a third of the time."""
    instance_id, caller = request.path_params["instance_id"], caller_in(request)
    declared = intake.declared(document, caller.actor, instance_id) if type(document) is dict else None
    if declared is None:
        return None
    response = Response(media_type="application/json")
    response.body = (await _put_one(declared, caller, response)).model_dump_json().encode()
    response.headers["content-length"] = str(len(response.body))
    return response


@router.put("/instances/{instance_id}", summary="Register or change an instance", responses=writes(404))
@short_way(_put_plain)
async def put_instance(
    instance_id: InstanceId, document: InstanceIn, caller: CallerOf, response: Response
) -> InstanceOut:
    """Register an instance under an id of its own, or replace what it said of itself before."""
    return await _put_one(instance_of(document, caller.actor, instance_id), caller, response)


async def _put_one(declared: Instance, caller: Caller, response: Response) -> InstanceOut:
    is_new = declared.id not in caller.plane.intent.instances
    receipt = await caller.declare(Put(declared), ref(declared))
    response.status_code = 201 if is_new and not receipt.replayed else 200
    return _answer(caller.plane, receipt, response)


@router.delete("/instances/{instance_id}", summary="Deregister an instance", status_code=204, responses=writes())
async def delete_instance(
    instance_id: InstanceId,
    caller: CallerOf,
    epoch: Annotated[int, Query(ge=0, description="of the incarnation that goes; 0: whichever is there")] = 0,
    seq: Annotated[int, Query(ge=0, description="of this message; 0: not said")] = 0,
) -> Response:
    """Take an instance out for good; the last of a subset leaves Envoy once no route wants it."""
    name = Ref(Kind.INSTANCE, instance_id)
    await caller.declare(Delete(name, epoch, seq), name)
    return Response(status_code=204)


@router.post(
    "/instances:deregister", summary="Deregister many instances", tags=[BATCH], responses=writes(404, 429),
    response_model=BatchOut,
)  # fmt: skip
async def deregister_many(document: DeregisterIn, caller: CallerOf, settings: SettingsOf) -> Response:
    """Take out all that can be, in one commit; each item gets its own revision or its own error."""
    items = list[object](document.items)
    check_items(items, settings.max_batch_items)
    outcomes = await caller.declare_each([_removal(item) for item in items])
    at = caller.plane.intent.revision
    return many(
        f'{{"id":"{outcome.name.key}","revision":{at}}}' if isinstance(outcome, Receipt) else refused(None, outcome)
        for outcome in outcomes
    )


def _removal(item: object) -> Delete | FairleadError:
    try:
        said = _LEAVING.validate_python(item)
    except ValidationError as error:
        return explain(error.errors(), NamedHeartbeatIn)
    return Delete(Ref(Kind.INSTANCE, said.id), said.epoch or 0, said.seq or 0)


def _put(item: object, actor: str) -> Put | FairleadError:
    if type(item) is dict and (plain := intake.declared(item, actor)) is not None:
        return Put(plain)
    try:
        return Put(instance_of(_ITEM.validate_python(item), actor))
    except ValidationError as error:
        return explain(error.errors(), InstanceIn)
    except FairleadError as error:
        return error


def _result(change: Change | FairleadError, outcome: Outcome) -> str:
    """Return what became of an item as JSON text. An id needs no escaping, and most results are nothing else."""
    name = change.declared.id if isinstance(change, Put) and isinstance(change.declared, Instance) else None
    if isinstance(outcome, Receipt):
        return f'{{"id":"{name}","revision":{outcome.revision}}}'
    return refused(name, outcome)


def _answer(plane: ControlPlane, receipt: Receipt, response: Response) -> InstanceOut:
    declared = receipt.declared
    if not isinstance(declared, Instance):
        raise NotFound(f"instance {receipt.name.key} was removed meanwhile")
    response.headers["etag"] = etag(receipt.revision)
    lease = plane.lease(declared.id)
    return instance_out(declared, revision=receipt.revision, health=plane.intent.health(declared.id), lease=lease)


def _out(plane: ControlPlane, instance: Instance) -> InstanceOut:
    revision = plane.intent.revisions.get(ref(instance), 0)
    health = plane.intent.health(instance.id)
    return instance_out(instance, revision=revision, health=health, lease=plane.lease(instance.id))
