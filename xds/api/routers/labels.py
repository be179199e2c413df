"""Labels: what they would come to. Nothing is declared here; the answer holds the documents that would be."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter

from xds.api.body import BATCH, DocumentRoute, check_items
from xds.api.caller import CallerOf, SettingsOf
from xds.api.convert.declared import document_of
from xds.api.openapi import writes
from xds.api.scalars import write_percent
from xds.api.schemas.labels import DescribeIn, DescribeOut, LabelProblemOut, LabelsIn, ProposalOut, WaitingOut
from xds.labels.describe import describe
from xds.labels.description import Container, Description
from xds.labels.merge import Merged, by_service, merge
from xds.labels.nested import labels_of
from xds.labels.table import ENABLE, ENV
from xds.model.duration import write_duration
from xds.model.instance import Instance, derived_id
from xds.model.problems import InvalidInput, Problem

router = APIRouter(prefix="/v1", route_class=DocumentRoute, tags=["labels"])


@router.post("/labels:describe", summary="Tell what labels come to", tags=[BATCH], responses=writes(404))
async def describe_labels(document: DescribeIn, caller: CallerOf, settings: SettingsOf) -> DescribeOut:
    """Return the documents that labels come to, with mistakes, proposals and who would wait for a rollout.

    It reads labels as the agent does, knows the services that there are, and changes nothing.
    """
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
    services = caller.plane.intent.services
    merged = [
        merge(descriptions, services.get(key), owner)
        for key, descriptions in by_service(description for _, description, _ in found).items()
    ]
    declared = [each for one in merged for each in (one.service, *one.routes) if each is not None]
    return DescribeOut(
        documents=[document_of(each) for each in (*(instance for _, _, instance in found), *declared)],
        sources=[*(at for at, _, _ in found), *(None for _ in declared)],
        problems=problems + [_problem(each, None) for one in merged for each in one.problems],
        proposals=[_proposal(one, at) for one in merged for at in range(len(one.proposals))],
        waiting=[each for one in merged for each in _waiting(one)],
    )


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


def _proposal(merged: Merged, at: int) -> ProposalOut:
    one = merged.proposals[at]
    return ProposalOut(
        service=one.service.name,
        env=one.service.env,
        version=one.version,
        field=one.field,
        holds=one.holds,
        wanted=one.wanted,
    )


def _waiting(merged: Merged) -> list[WaitingOut]:
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
        )
        for each in merged.waiting
    ]
