"""Policies: how the services that a selector picks are treated."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from xds.api.body import DocumentRoute
from xds.api.caller import CallerOf, PlaneOf, env_of, etag
from xds.api.convert.policy import policy_of, policy_out
from xds.api.openapi import reads, writes
from xds.api.pages import AnyEnv, Env, PagingOf, check_env, is_in
from xds.api.schemas.policy import PolicyIn, PolicyList, PolicyOut
from xds.control.plane import ControlPlane
from xds.model.declare import Delete, Put
from xds.model.intent import Kind, Ref, ref
from xds.model.names import DEFAULT_ENV, Key
from xds.model.policy import ServicePolicy
from xds.model.problems import NotFound

router = APIRouter(prefix="/v1", route_class=DocumentRoute, tags=["policies"])

PolicyName = Annotated[str, Path(max_length=256, description="the policy's name")]


@router.get("/policies", summary="List policies", responses=reads(404))
async def list_policies(plane: PlaneOf, paging: PagingOf, env: AnyEnv = DEFAULT_ENV) -> PolicyList:
    """Return the policies of an environment, by name."""
    wanted = check_env(env)
    known = {str(key): policy for key, policy in plane.intent.policies.by_key.items() if is_in(key.env, wanted)}
    keys, cursor = paging.cut(known)
    return PolicyList(items=[_out(plane, known[key]) for key in keys], next=cursor, revision=plane.intent.revision)


@router.get("/policies/{name}", summary="Read a policy", responses=reads())
async def read_policy(name: PolicyName, plane: PlaneOf, response: Response, env: Env = None) -> PolicyOut:
    """Return a policy with the services that it picks now."""
    key = Key(env_of(None, env), name)
    policy = plane.intent.policies.by_key.get(key)
    if policy is None:
        raise NotFound(f"policy {key} does not exist")
    found = _out(plane, policy)
    response.headers["etag"] = etag(found.revision)
    return found


@router.put("/policies/{name}", summary="Declare a policy", responses=writes(404))
async def put_policy(
    name: PolicyName, document: PolicyIn, caller: CallerOf, response: Response, env: Env = None
) -> PolicyOut:
    """Declare how the services that a selector picks are treated, where they say nothing of it themselves."""
    declared = policy_of(document, env_of(document.env, env), caller.actor, name)
    is_new = declared.key not in caller.plane.intent.policies.by_key
    receipt = await caller.declare(Put(declared), ref(declared))
    if not isinstance(receipt.declared, ServicePolicy):
        raise NotFound(f"policy {declared.key} was removed meanwhile")
    response.status_code = 201 if is_new and not receipt.replayed else 200
    response.headers["etag"] = etag(receipt.revision)
    return _out(caller.plane, receipt.declared, receipt.revision)


@router.delete("/policies/{name}", summary="Remove a policy", status_code=204, responses=writes())
async def delete_policy(name: PolicyName, caller: CallerOf, env: Env = None) -> Response:
    """Remove a policy; what it said no longer holds."""
    target = Ref(Kind.POLICY, str(Key(env_of(None, env), name)))
    await caller.declare(Delete(target), target)
    return Response(status_code=204)


def _out(plane: ControlPlane, policy: ServicePolicy, revision: int | None = None) -> PolicyOut:
    at = plane.intent.revisions.get(ref(policy), 0) if revision is None else revision
    picked = sorted(key.name for key, service in plane.intent.services.items() if policy.picks(service))
    return policy_out(policy, revision=at, services=picked)
