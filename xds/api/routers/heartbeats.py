"""Heartbeats: leases renewed one by one and in batches, with what runtimes say of the instances."""

from __future__ import annotations

import asyncio
import functools
from typing import NamedTuple

from fastapi import APIRouter
from pydantic import TypeAdapter, ValidationError
from starlette.responses import Response

from xds.api.body import BATCH, SLICE, DocumentRoute, check_items
from xds.api.caller import PlaneOf, SettingsOf
from xds.api.convert.instance import expires_in, signal_of
from xds.api.openapi import writes
from xds.api.results import many, refused
from xds.api.schemas.instance import HeartbeatIn, HeartbeatsIn, HeartbeatsOut, InstanceId, LeaseOut, RenewalIn
from xds.api.validation import explain
from xds.control.plane import ControlPlane
from xds.control.ports import Lease
from xds.model.fusion import RUNTIME
from xds.model.names import is_id
from xds.model.problems import FairleadError
from xds.model.signal import Signal

router = APIRouter(prefix="/v1", route_class=DocumentRoute, tags=["instances"])

_RENEWAL = TypeAdapter(RenewalIn)
_PLAIN = frozenset({"id", "epoch", "seq"})


@router.put("/instances/{instance_id}/heartbeat", summary="Renew an instance's lease", responses=writes(412))
async def heartbeat(instance_id: InstanceId, plane: PlaneOf, document: HeartbeatIn | None = None) -> LeaseOut | None:
    """Renew a lease; null when the instance has none. A heartbeat creates nothing: 404 means register again."""
    said = document or HeartbeatIn()
    lease = plane.renew(instance_id, epoch=said.epoch or 0, seq=said.seq or 0)
    return None if lease is None else LeaseOut(expires_in=expires_in(lease))


@router.post(
    "/heartbeats:batch", summary="Renew many leases", tags=[BATCH], responses=writes(404, 409, 412),
    response_model=HeartbeatsOut,
)  # fmt: skip
async def heartbeats(document: HeartbeatsIn, plane: PlaneOf, settings: SettingsOf) -> Response:
    """Renew many leases, and hear what runtimes say of the instances; each gets its own answer."""
    items = list[object](document.items)
    check_items(items, settings.max_batch_items)
    results: list[str] = []
    for at, item in enumerate(items):
        results.append(_renewed(plane, item))
        if at % SLICE == SLICE - 1:
            await asyncio.sleep(0)
    return many(results)


def _renewed(plane: ControlPlane, item: object) -> str:
    """Return what became of a heartbeat as JSON text."""
    try:
        said = _plainly(item) or _said(item)
    except ValidationError as error:
        return refused(None, explain(error.errors(), RenewalIn))
    try:
        lease = plane.renew(said.id, epoch=said.epoch, seq=said.seq)
    except FairleadError as error:
        return refused(said.id, error)
    if said.runtime is not None and said.runtime != plane.health.words(said.id).get(RUNTIME):
        plane.observe(RUNTIME, {said.id: said.runtime})
    left = "null" if lease is None else f'"{_left(lease)}"'
    return f'{{"id":"{said.id}","expires_in":{left}}}'


class _Said(NamedTuple):
    id: str
    epoch: int
    seq: int
    runtime: Signal | None = None


def _plainly(item: object) -> _Said | None:
    """Return a heartbeat that is certainly right, without a schema; None of any other."""
    if type(item) is not dict or not item.keys() <= _PLAIN:
        return None
    name, epoch, seq = item.get("id"), item.get("epoch") or 0, item.get("seq") or 0
    if type(name) is str and is_id(name) and type(epoch) is int and type(seq) is int and min(epoch, seq) >= 0:
        return _Said(name, epoch, seq)
    return None


def _said(item: object) -> _Said:
    said = _RENEWAL.validate_python(item)
    return _Said(said.id, said.epoch or 0, said.seq or 0, None if said.runtime is None else signal_of(said.runtime))


@functools.lru_cache(maxsize=256)  # as a rule a full lease, of few different lengths
def _left(lease: Lease) -> str:
    return expires_in(lease)
