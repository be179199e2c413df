"""Labels: what they would come to. Nothing is declared here; the answer holds the documents that would be."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from fastapi import APIRouter

from xds.api.body import BATCH, DocumentRoute, check_items
from xds.api.caller import CallerOf, SettingsOf
from xds.api.convert.analysis import analysis_out
from xds.api.convert.declared import document_of
from xds.api.convert.preview import preview_out
from xds.api.convert.proposal import proposal_out
from xds.api.openapi import writes
from xds.api.scalars import write_percent
from xds.api.schemas.labels import (
    DescribeIn,
    DescribeOut,
    LabelProblemOut,
    LabelsIn,
    StaleOut,
    WaitingOut,
)
from xds.labels.describe import describe
from xds.labels.description import Container, Description
from xds.labels.merge import Merged, Waiting, by_service, merge
from xds.labels.nested import labels_of
from xds.labels.registered import redescribe
from xds.labels.table import ENABLE, ENV
from xds.model.duration import write_duration
from xds.model.instance import Instance, derived_id
from xds.model.intent import Intent
from xds.model.names import ServiceKey
from xds.model.problems import InvalidInput, Problem
from xds.model.rollout import Rollout

router = APIRouter(prefix="/v1", route_class=DocumentRoute, tags=["labels"])


@router.post("/labels:describe", summary="Tell what labels come to", tags=[BATCH], responses=writes(404))
async def describe_labels(document: DescribeIn, caller: CallerOf, settings: SettingsOf) -> DescribeOut:
    """Return the documents that labels come to, with mistakes, proposals and who would wait for a rollout.

    It reads labels as the agent does, knows the services that there are, and changes nothing.
    """
    if document.items or not document.registered:
        check_items(list[object](document.items), settings.max_batch_items)
    owner = f"file:{document.set}" if document.set else caller.actor
    found: list[tuple[int, Description, Instance]] = []
    problems: list[LabelProblemOut] = []
    for at, item in enumerate(document.items):
        description, wrong = _described(item)
        problems += [_problem(each, at) for each in wrong]
        if description is not None:
            try:
                found.append((at, description, _instance(item, description, owner)))
            except InvalidInput as error:
                problems.append(LabelProblemOut(item=at, pointer=error.pointer, detail=error.message, severity="error"))
    intent = caller.plane.intent
    services = by_service(description for _, description, _ in found)
    if document.registered:
        told = {instance.id for _, _, instance in found}
        services = {key: [*each, *_registered(intent, key, owner, told)] for key, each in services.items()}
    merged = [
        merge(descriptions, intent.services.get(key), owner, intent.routes_of(key))
        for key, descriptions in services.items()
    ]
    declared = [each for one in merged for each in (one.service, *one.routes) if each is not None]
    instances = [] if document.registered else found
    return DescribeOut(
        documents=[document_of(each) for each in (*(instance for _, _, instance in instances), *declared)],
        sources=[*(at for at, _, _ in instances), *(None for _ in declared)],
        problems=problems + [_problem(each, None) for one in merged for each in one.problems],
        proposals=[proposal_out(intent, each) for one in merged for each in one.proposals],
        waiting=[each for one in merged for each in _waiting(intent, one, owner)],
        stale=[*_stale(intent, owner, merged)] if document.registered else [],
    )


def _registered(intent: Intent, key: ServiceKey, owner: str, told: Collection[str]) -> Iterator[Description]:
    """Yield what else is registered of a service with labels, whoever told of it; sets speak for themselves."""
    for member in sorted(intent.members_of(key)):
        instance = intent.instances[member]
        if member not in told and (instance.owner == owner or not instance.owner.startswith("file:")):
            description = redescribe(instance)
            if description is not None:
                yield description


def _stale(intent: Intent, owner: str, merged: Iterable[Merged]) -> Iterator[StaleOut]:
    unnamed = {route.key for one in merged for route in one.stale}
    for route in intent.routes.values():
        abandoned = route.owner == owner and not intent.members_of(route.service)
        if abandoned or route.key in unnamed:
            yield StaleOut(name=route.key.name, env=route.key.env, abandoned=abandoned)


def _described(item: LabelsIn) -> tuple[Description | None, tuple[Problem, ...]]:
    """Return the description of an item; whoever sends labels wants them read, so they need not opt in."""
    try:
        labels = labels_of(item.labels, pointer="/labels")
    except InvalidInput as error:
        return None, (Problem("labels", item.name, error.pointer, error.message),)
    unsaid = {ENABLE.label: "true", **({} if item.env is None else {ENV.label: item.env})}
    found = describe({**unsaid, **labels}, Container(name=item.name or item.address, image=item.image))
    return found.description, found.problems


def _instance(item: LabelsIn, description: Description, owner: str) -> Instance:
    instance = description.instance(item.address, owner=owner)
    own = next(iter(instance.ports.values()))
    key = description.service
    return replace(instance, id=item.id or derived_id(key.name, key.env, instance.address, own), ttl=item.ttl)


def _problem(problem: Problem, item: int | None) -> LabelProblemOut:
    return LabelProblemOut(item=item, pointer=problem.pointer, detail=problem.message, severity=problem.severity.value)


def _waiting(intent: Intent, merged: Merged, owner: str) -> list[WaitingOut]:
    seen: dict[str, Rollout] = {}
    for rollout in intent.rollouts.values():
        if rollout.service == merged.key:
            seen |= {rollout.version: rollout, rollout.stable: rollout}
    return [
        WaitingOut(
            service=merged.key.name,
            env=merged.key.env,
            version=each.version,
            entry=each.canary.entry.value,
            plan=[
                {
                    "weight": write_percent(step.weight),
                    "pause": None if step.pause is None else write_duration(step.pause),
                }
                for step in each.canary.plan
            ],
            auto_promote=each.canary.promotes,
            preview=preview_out(each.canary.shown),
            analysis=analysis_out(each.canary.criteria),
            rollout=_begun(seen.get(each.version), each, owner),
        )
        for each in merged.waiting
    ]


def _begun(rollout: Rollout | None, waiting: Waiting, owner: str) -> str | None:
    """Return the rollout that a version has had; none where the owner's own waits by what labels said before."""
    if rollout is None:
        return None
    wanted = waiting.canary
    is_as_said = (rollout.plan, rollout.auto_promote) == (wanted.plan, wanted.promotes)
    is_as_said &= (rollout.preview, rollout.analysis) == (wanted.shown, wanted.criteria)
    renews = rollout.owner == owner and rollout.is_untouched and rollout.version == waiting.version
    return None if renews and not is_as_said else rollout.id
