"""Rollouts: start, watch and steer a canary."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from xds.api.body import DocumentRoute
from xds.api.caller import Caller, CallerOf, PlaneOf, env_of, etag
from xds.api.convert.analysis import rollout_analysis
from xds.api.convert.rollout import rollout_out, start_of
from xds.api.openapi import reads, writes
from xds.api.pages import AnyEnv, PagingOf, check_env, is_in
from xds.api.schemas.analysis import RolloutAnalysis
from xds.api.schemas.rollout import RolloutIn, RolloutList, RolloutOut, SetWeightIn
from xds.api.watch import WatchOf
from xds.control.plane import ControlPlane
from xds.model.declare import Delete, StepRollout
from xds.model.intent import Kind, Ref
from xds.model.names import DEFAULT_ENV
from xds.model.rollout import Abort, Event, Pause, Promote, Resume, SetWeight
from xds.model.split import weight_from_percent

router = APIRouter(prefix="/v1", route_class=DocumentRoute, tags=["rollouts"])

RolloutId = Annotated[str, Path(max_length=256, description="the rollout's id")]


@router.get("/rollouts", summary="List rollouts", responses=reads(404))
async def list_rollouts(
    plane: PlaneOf,
    paging: PagingOf,
    env: AnyEnv = DEFAULT_ENV,
    service: Annotated[str | None, Query(max_length=128, description="only of this service")] = None,
    active: Annotated[bool, Query(description="only those that are not over")] = False,
) -> RolloutList:
    """Return the rollouts of an environment, by id."""
    wanted = check_env(env)
    known = {
        name: rollout
        for name, rollout in plane.intent.rollouts.items()
        if is_in(rollout.service.env, wanted)
        and service in {None, rollout.service.name}
        and not (active and rollout.phase.is_over)
    }
    ids, cursor = paging.cut(known)
    return RolloutList(items=[_out(plane, each) for each in ids], next=cursor, revision=plane.intent.revision)


@router.post("/rollouts", summary="Start a rollout", status_code=201, responses=writes())
async def start_rollout(document: RolloutIn, caller: CallerOf, response: Response) -> RolloutOut:
    """Begin to move users to a version that has instances. If-Match here is the revision of the service.

    One in progress that still waits at 0 % for its first word gives way: to another plan of its version, and to
    another version once its own has no instance any more.
    """
    change = start_of(document, env_of(document.env, None))
    receipt = await caller.declare(change, Ref(Kind.SERVICE, str(change.service)))
    response.headers["location"] = f"/v1/rollouts/{receipt.name.key}"
    return _tagged(caller.plane, receipt.name.key, response)


@router.get("/rollouts/{rollout_id}", summary="Read or watch a rollout", responses=reads())
async def read_rollout(rollout_id: RolloutId, plane: PlaneOf, watch: WatchOf, response: Response) -> RolloutOut:
    """Return a rollout and its gate; with `wait`, once something has changed or the time is over."""
    plane.rollout_status(rollout_id)
    await watch.until_changed(plane)
    return _tagged(plane, rollout_id, response)


@router.get("/rollouts/{rollout_id}/analysis", summary="Read how a rollout is judged", responses=reads())
async def read_analysis(rollout_id: RolloutId, plane: PlaneOf) -> RolloutAnalysis:
    """Return every criterion of the present weight as it stands now, and the last word about the steps before."""
    return rollout_analysis(plane.rollout_status(rollout_id))


@router.post("/rollouts/{rollout_id}:set-weight", summary="Set the new version's weight", responses=writes())
async def set_weight(rollout_id: RolloutId, document: SetWeightIn, caller: CallerOf, response: Response) -> RolloutOut:
    """Take over from the plan and set a weight; the plan waits until it is resumed."""
    event = SetWeight(weight_from_percent(document.weight, pointer="/weight"))
    return await _step(caller, rollout_id, event, response)


@router.post("/rollouts/{rollout_id}:pause", summary="Stop the plan where it is", responses=writes())
async def pause(rollout_id: RolloutId, caller: CallerOf, response: Response) -> RolloutOut:
    """Keep the present weight until somebody decides."""
    return await _step(caller, rollout_id, Pause(), response)


@router.post("/rollouts/{rollout_id}:resume", summary="Let the plan go on", responses=writes())
async def resume(rollout_id: RolloutId, caller: CallerOf, response: Response) -> RolloutOut:
    """Go on with the plan's next step."""
    return await _step(caller, rollout_id, Resume(), response)


@router.post("/rollouts/{rollout_id}:promote", summary="Make the new version the stable one", responses=writes())
async def promote(rollout_id: RolloutId, caller: CallerOf, response: Response) -> RolloutOut:
    """Give every user to the new version; it is the stable one when every live Envoy has acknowledged that."""
    return await _step(caller, rollout_id, Promote(), response)


@router.post("/rollouts/{rollout_id}:abort", summary="Return every user to stable", responses=writes())
async def abort(rollout_id: RolloutId, caller: CallerOf, response: Response) -> RolloutOut:
    """Return every user to the stable version. Legal in every state, twice too; after the end it changes nothing."""
    return await _step(caller, rollout_id, Abort(), response)


@router.delete("/rollouts/{rollout_id}", summary="Forget a rollout that is over", status_code=204, responses=writes())
async def delete_rollout(rollout_id: RolloutId, caller: CallerOf) -> Response:
    """Remove the record of a rollout that is over."""
    target = Ref(Kind.ROLLOUT, rollout_id)
    await caller.declare(Delete(target), target)
    return Response(status_code=204)


async def _step(caller: Caller, rollout_id: str, event: Event, response: Response) -> RolloutOut:
    await caller.declare(StepRollout(rollout_id, event), Ref(Kind.ROLLOUT, rollout_id))
    return _tagged(caller.plane, rollout_id, response)


def _tagged(plane: ControlPlane, rollout_id: str, response: Response) -> RolloutOut:
    found = _out(plane, rollout_id)
    response.headers["etag"] = etag(found.revision)
    return found


def _out(plane: ControlPlane, rollout_id: str) -> RolloutOut:
    # The counter is read first: what changes after it is told again rather than missed.
    change = plane.changes
    return rollout_out(plane.rollout_status(rollout_id), change)
