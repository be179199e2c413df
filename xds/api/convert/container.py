"""Containers, both ways, and one of them explained."""

from __future__ import annotations

from xds.api.convert.check import check_out, described
from xds.api.convert.instance import lease_out
from xds.api.convert.pointers import under
from xds.api.convert.report import member_out, problem_out, subset_out
from xds.api.convert.rollout import node_gate_out
from xds.api.scalars import write_percent
from xds.api.schemas.container import ContainerExplainOut, ContainerIn, ContainerOut, EndpointsOut, FindingOut
from xds.control.plane import ControlPlane
from xds.control.sightings import Seen
from xds.control.status import ServiceStatus
from xds.model.names import EVERY, ServiceKey
from xds.model.problems import NotFound, Problem
from xds.model.sighting import Sighting, Standing
from xds.model.view import Member
from xds.translate import naming


def sighting_of(document: ContainerIn, at: int) -> Sighting:
    """Return the container of a document, which stands at `at` among the items."""
    with under(f"/items/{at}"):
        check = None if document.check is None else described(document.check)
    return Sighting(
        id=document.id,
        name=document.name,
        standing=Standing(document.standing),
        why=document.why,
        image=document.image,
        service=document.service,
        env=document.env,
        version=document.version,
        instance=document.instance,
        address=document.address,
        way=document.way,
        rejected=tuple(document.rejected),
        check=check,
        healthcheck=document.healthcheck,
        labels=document.labels,
        problems=tuple(Problem("label", document.name, each.pointer, each.message) for each in document.problems),
    )


def container_out(plane: ControlPlane, seen: Seen) -> ContainerOut:
    """Return a container as a document."""
    found = seen.sighting
    return ContainerOut(
        id=found.id,
        name=found.name,
        agent=seen.agent,
        agent_state="lost" if plane.agents.get(seen.agent).lost else "alive",
        standing=found.standing.value,
        why=found.why,
        image=found.image,
        service=found.service,
        env=found.env,
        version=found.version,
        instance=found.instance,
        address=found.address,
        way=found.way,
        rejected=list(found.rejected),
        check=None if found.check is None else check_out(found.check),
        healthcheck=found.healthcheck,
        labels=dict(found.labels),
        problems=[FindingOut(pointer=each.pointer, message=each.message) for each in found.problems],
    )


def explain_container(plane: ControlPlane, seen: Seen) -> ContainerExplainOut:
    """Return everything between a container's labels and what each Envoy has acknowledged of it."""
    found = seen.sighting
    status = _status(plane, found)
    members = () if status is None else status.view.members
    member = next((each for each in members if each.instance.id == found.instance), None)
    if status is None or member is None:
        return ContainerExplainOut(
            container=container_out(plane, seen), instance=None, lease=None, share=None, subsets=[], endpoints=[],
            nodes=[], rollout=None, problems=[],
        )  # fmt: skip
    own = {name: members for name, members in status.view.subsets.items() if member in members}
    rollout = plane.intent.rollout_of(status.view.key)
    about = {str(status.view.key), found.instance}
    return ContainerExplainOut(
        container=container_out(plane, seen),
        instance=member_out(plane, member),
        lease=lease_out(plane.lease(found.instance)),
        share=_share(member, status),
        subsets=[subset_out(name, members, status) for name, members in own.items() if name != EVERY],
        endpoints=_endpoints(plane, member, list(own)),
        nodes=[node_gate_out(node) for node in status.nodes],
        rollout=None if rollout is None else rollout.id,
        problems=[problem_out(problem) for problem in status.problems if problem.object in about],
    )


def _status(plane: ControlPlane, found: Sighting) -> ServiceStatus | None:
    if not found.service or found.instance not in plane.intent.instances:
        return None
    try:
        return plane.service_status(ServiceKey(found.env, found.service))
    except NotFound:
        return None


def _share(member: Member, status: ServiceStatus) -> float | int:
    """Return the percent of its service's requests that its subsets, and its weight in them, mean for it."""
    total = 0.0
    for name, members in status.view.subsets.items():
        weights = sum(each.weight for each in members if each.serves)
        if name in status.effective and member in members and member.serves and weights:
            total += status.effective[name] * member.weight / weights
    return write_percent(round(total))


def _endpoints(plane: ControlPlane, member: Member, subsets: list[str]) -> list[EndpointsOut]:
    key, ports = member.instance.service, list(member.instance.ports)
    named = ["", *ports[1:]]  # the first port is the service's own
    clusters = [naming.cluster(key.name, subset, port) for subset in subsets for port in named]
    return [
        EndpointsOut(node=each.node, cluster=each.cluster, state=each.reach.value, message=each.message)
        for each in plane.reach(key.env, clusters)
    ]
