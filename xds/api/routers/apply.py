"""Apply and plan: several documents of several kinds in one batch, tried before they are done."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter

from xds.api import problem_document
from xds.api.body import BATCH, SLICE, DocumentRoute, check_items
from xds.api.caller import Caller, CallerOf, SettingsOf
from xds.api.convert.documents import read_document
from xds.api.convert.plan import fields_of, resource_out
from xds.api.convert.report import problem_out
from xds.api.openapi import writes
from xds.api.schemas.apply import ApplyIn, ApplyOut, ApplyResult
from xds.api.schemas.base import ProblemOut
from xds.api.schemas.plan import PlannedObject, PlanOut
from xds.api.settings import ApiSettings
from xds.control.planning import excerpt, rehearse
from xds.control.trial import Step, Trial, try_out
from xds.model.intent import Declared
from xds.model.problems import Conflict, FairleadError, InvalidInput

router = APIRouter(prefix="/v1", route_class=DocumentRoute, tags=["control plane"])


@router.post("/apply", summary="Apply documents", tags=[BATCH], responses=writes(404))
async def apply(document: ApplyIn, caller: CallerOf, settings: SettingsOf) -> ApplyOut:
    """Apply documents as one batch, services first. Each is judged by itself; what is refused costs only itself.

    With `prune`, what the set declared before and names no more goes, unless a document is refused. What would cost
    users their last instance, or the set everything, takes `force`.
    """
    documents = list[object](document.documents)
    trial = await _try(document, documents, caller, settings)
    if trial.cost and not document.force:
        raise Conflict(f"{'; '.join(trial.cost)}: force it if that is meant", pointer="/prune", code="would_empty")
    if not document.dry_run:
        places, changes = [at for at, _ in trial.changes], [change for _, change in trial.changes]
        reason = f"(forced: {'; '.join(trial.cost)})" if trial.cost else ""
        outcomes = await caller.declare_each(changes, reason=reason)
        trial = trial.done(dict(zip(places, outcomes, strict=True)))
    results = [_result(step, item) for step, item in zip(trial.documents, documents, strict=True)]
    pruned = [_result(step) for step in trial.pruned]
    failed = sum(result.error is not None for result in (*results, *pruned))
    return ApplyOut(results=results, pruned=pruned, failed=failed, dry_run=document.dry_run)


@router.post("/plan", summary="Plan an apply", tags=[BATCH], responses=writes(404))
async def plan(document: ApplyIn, caller: CallerOf, settings: SettingsOf) -> PlanOut:
    """Tell what applying documents would change, field by field, and which Envoy resources that would change."""
    documents = list[object](document.documents)
    trial = await _try(document, documents, caller, settings)
    objects = [_planned(step, item) for step, item in zip(trial.documents, documents, strict=True)]
    objects += [_planned(step) for step in trial.pruned]
    scratch = excerpt(caller.plane.intent, trial.writes)
    rehearsed = await asyncio.to_thread(rehearse, scratch, trial.writes, *caller.plane.translating)
    return PlanOut(
        objects=objects,
        resources=[resource_out(change) for change in rehearsed.resources],
        problems=[problem_out(problem) for problem in rehearsed.problems],
        needs_force=list(trial.cost),
        changes=any(step.word in {"created", "changed", "removed"} for step in (*trial.documents, *trial.pruned)),
        failed=sum(each.error is not None for each in objects),
    )


async def _try(document: ApplyIn, documents: list[object], caller: Caller, settings: ApiSettings) -> Trial:
    """Read the documents and try them on a draft."""
    if documents or not document.prune:  # a set that names nothing any more prunes everything, if that is forced
        check_items(documents, settings.max_batch_items)
    if document.prune and not document.set:
        raise InvalidInput("only what a set declared is pruned: name it with `set`", pointer="/prune")
    owner = f"file:{document.set}" if document.set else caller.actor
    found: list[Declared | FairleadError] = []
    for at, item in enumerate(documents):
        found.append(read_document(item, owner))
        if at % SLICE == SLICE - 1:
            await asyncio.sleep(0)
    return try_out(caller.plane.intent, found, caller.declaration, owner if document.prune else None)


def _result(step: Step, item: object = None) -> ApplyResult:
    kind, name = _called(step, item)
    error, outcome = None, step.outcome
    if isinstance(outcome, FairleadError):
        error = ProblemOut.model_validate(problem_document.document(outcome))
        return ApplyResult(kind=kind, name=name, outcome=step.word, error=error)
    return ApplyResult(kind=kind, name=name, outcome=step.word, revision=outcome.revision)


def _planned(step: Step, item: object = None) -> PlannedObject:
    told = _result(step, item)
    after = None if isinstance(step.outcome, FairleadError) else step.outcome.declared
    fields = fields_of(step.before, after)
    return PlannedObject(kind=told.kind, name=told.name, outcome=told.outcome, fields=fields, error=told.error)


def _called(step: Step, item: object) -> tuple[str, str]:
    """Return kind and name; of what cannot be read, as the document has them."""
    if step.name is not None:
        return step.name.kind.value, step.name.key
    found = item if isinstance(item, dict) else {}
    kind, name = found.get("kind"), found.get("name") or found.get("id")
    return kind if isinstance(kind, str) else "", name if isinstance(name, str) else ""
