"""Apply: several documents of several kinds in one batch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter
from pydantic import TypeAdapter, ValidationError

from xds.api import problem_document
from xds.api.body import BATCH, DocumentRoute, check_items
from xds.api.caller import Caller, CallerOf, SettingsOf, env_of
from xds.api.convert.gateway import gateway_of
from xds.api.convert.instance import instance_of
from xds.api.convert.route import route_of
from xds.api.convert.service import service_key, service_of
from xds.api.openapi import writes
from xds.api.schemas.apply import (
    ApplyIn,
    ApplyOut,
    ApplyResult,
    GatewayDocument,
    InstanceDocument,
    RouteDocument,
    ServiceDocument,
)
from xds.api.schemas.base import ProblemOut
from xds.api.validation import explain
from xds.control.inbox import Outcome
from xds.control.ports import Receipt
from xds.model.declare import Put
from xds.model.draft import Draft
from xds.model.intent import Declared, Kind, Ref, ref
from xds.model.problems import FairleadError, InvalidInput

router = APIRouter(prefix="/v1", route_class=DocumentRoute, tags=["control plane"])

_SCHEMAS: Final = {
    Kind.SERVICE: TypeAdapter[object](ServiceDocument),
    Kind.INSTANCE: TypeAdapter[object](InstanceDocument),
    Kind.ROUTE: TypeAdapter[object](RouteDocument),
    Kind.GATEWAY: TypeAdapter[object](GatewayDocument),
}
_MODELS: Final = {
    Kind.SERVICE: ServiceDocument,
    Kind.INSTANCE: InstanceDocument,
    Kind.ROUTE: RouteDocument,
    Kind.GATEWAY: GatewayDocument,
}
_SLICE: Final = 500  # documents between two turns of the event loop
_ORDER: Final = {kind: at for at, kind in enumerate(_SCHEMAS)}


@router.post("/apply", summary="Apply documents", tags=[BATCH], responses=writes(404))
async def apply(document: ApplyIn, caller: CallerOf, settings: SettingsOf) -> ApplyOut:
    """Apply documents as one batch, services first. Each is judged by itself; what is refused costs only itself."""
    documents = list[object](document.documents)
    check_items(documents, settings.max_batch_items)
    owner = f"file:{document.set}" if document.set else caller.actor
    read: list[Declared | FairleadError] = []
    for at, item in enumerate(documents):
        read.append(read_document(item, owner))
        if at % _SLICE == _SLICE - 1:
            await asyncio.sleep(0)
    before = {
        at: caller.plane.intent.get(ref(item)) for at, item in enumerate(read) if not isinstance(item, FairleadError)
    }
    order = sorted(before, key=lambda at: _ORDER[ref(_declared(read[at])).kind])
    puts = [Put(_declared(read[at])) for at in order]
    found = _rehearse(caller, puts) if document.dry_run else await caller.declare_each(puts)
    outcomes: dict[int, Outcome] = dict(zip(order, found, strict=True))
    results = [
        _refused(item, documents[at]) if isinstance(item, FairleadError) else _result(item, before[at], outcomes[at])
        for at, item in enumerate(read)
    ]
    failed = sum(result.error is not None for result in results)
    return ApplyOut(results=results, failed=failed, dry_run=document.dry_run)


def read_document(item: object, owner: str) -> Declared | FairleadError:
    """Return what one document declares, or what is wrong with it."""
    kind = item.get("kind") if isinstance(item, dict) else None
    try:
        known = Kind(str(kind))
        schema = _SCHEMAS[known]
    except (ValueError, KeyError):
        words = ", ".join(kind.value for kind in _SCHEMAS)
        given = f", not {kind!r}" if isinstance(kind, str) and len(kind) <= 64 else ""
        return InvalidInput(f"kind is one of {words}{given}", pointer="/kind", code="unknown_kind")
    try:
        return _declare(schema.validate_python(item), owner)
    except ValidationError as error:
        return explain(error.errors(), _MODELS[known])
    except FairleadError as error:
        return error


def _declare(document: object, owner: str) -> Declared:
    match document:
        case ServiceDocument():
            return service_of(document, service_key(document, env_of(document.env, None)), owner)
        case InstanceDocument():
            return instance_of(document, owner)
        case RouteDocument():
            return route_of(document, env_of(document.env, None), owner)
        case GatewayDocument():
            return gateway_of(document, env_of(document.env, None), owner)
    raise InvalidInput("not a document that can be applied", pointer="/kind")


def _declared(item: Declared | FairleadError) -> Declared:
    if isinstance(item, FairleadError):
        raise item
    return item


def _rehearse(caller: Caller, puts: Sequence[Put]) -> list[Outcome]:
    """Return what would become of each change; nothing is committed."""
    draft = Draft(caller.plane.intent)
    outcomes: list[Outcome] = []
    for put in puts:
        try:
            name = draft.declare(caller.declaration(put))
        except FairleadError as error:
            outcomes.append(error)
        else:
            outcomes.append(Receipt(name, draft.get(name), caller.plane.intent.revisions.get(name, 0)))
    return outcomes


def _refused(error: FairleadError, item: object) -> ApplyResult:
    kind, name = (item.get("kind"), item.get("name") or item.get("id")) if isinstance(item, dict) else ("", "")
    return ApplyResult(
        kind=kind if isinstance(kind, str) else "",
        name=name if isinstance(name, str) else "",
        outcome="refused",
        error=ProblemOut.model_validate(problem_document.document(error)),
    )


def _result(declared: Declared, before: Declared | None, outcome: Outcome) -> ApplyResult:
    name: Ref = ref(declared)
    if isinstance(outcome, FairleadError):
        problem = ProblemOut.model_validate(problem_document.document(outcome))
        return ApplyResult(kind=name.kind.value, name=name.key, outcome="refused", error=problem)
    word = "created" if before is None else "unchanged" if outcome.declared == before else "changed"
    return ApplyResult(kind=name.kind.value, name=name.key, outcome=word, revision=outcome.revision)
