"""Whose word decides what a node may call: its own, its instance's, its service's, and else nobody's.

Pure. A label that cannot be read says nothing: a sidecar that gets more than it needs still works.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from xds.model.instance import Instance
from xds.model.intent import Intent
from xds.model.labels import Labels
from xds.model.names import ServiceKey
from xds.model.node import NodeProfile, Role
from xds.model.problems import InvalidInput
from xds.model.reach import EVERYTHING, UPSTREAMS, UpstreamNames, parse_upstreams


@dataclass(frozen=True, slots=True)
class Decision:
    """What a node may call, None for everything of its environment, and why, in words."""

    upstreams: UpstreamNames | None
    because: str


def decide(said: NodeProfile, node_id: str, intent: Intent) -> Decision:
    """Return what a node that says `said` may call.

    The label of the instance that has the node's id counts before those of the other instances of its service. Their
    sidecars cannot be told apart, so each gets what any of them needs, and everything as soon as one has no label.
    """
    everything = f"everything of env {said.env}"
    if said.role is Role.GATEWAY:
        return Decision(None, f"the routes of gateway {said.gateway}")
    if said.role is Role.GRPC:
        return Decision(None, f"a gRPC client of env {said.env}, which asks for services by name")
    if said.egress is None:
        return Decision((), "it has no egress")
    if said.upstreams is not None:
        return _decision(said.upstreams, "its metadata", everything)
    if not said.service:
        return Decision(None, f"{everything}, as neither its metadata nor a service names upstreams")
    key = ServiceKey(said.env, said.service)
    own = intent.instances.get(node_id)
    if own is not None and own.service == key and (names := _read(own.labels)) is not None:
        return _decision(names, f"label {UPSTREAMS} of instance {own.id}", everything)
    return _of_service(key, intent, everything)


def _of_service(key: ServiceKey, intent: Intent, everything: str) -> Decision:
    service = intent.services.get(key)
    declared = _read(service.labels) if service is not None else None
    labelled = _of_instances((intent.instances[id_] for id_ in intent.members_of(key)), declared)
    if labelled is not None:
        return _decision(labelled, f"label {UPSTREAMS} of the instances of {key.name}", everything)
    if declared is not None:
        return _decision(declared, f"label {UPSTREAMS} of service {key.name}", everything)
    return Decision(None, f"{everything}, as no label {UPSTREAMS} of {key.name} says otherwise")


def _of_instances(instances: Iterable[Instance], declared: UpstreamNames | None) -> UpstreamNames | None:
    """Return all that the labels name together; None where none has one, or one has none and its service neither."""
    names: set[str] = set()
    any_label = False
    for instance in instances:
        own = _read(instance.labels)
        any_label = any_label or own is not None
        found = own or declared
        if found is None:
            return None
        names.update(found)
    return tuple(sorted(names)) if any_label else None


def _decision(names: UpstreamNames, whose: str, everything: str) -> Decision:
    if set(EVERYTHING) & set(names):
        return Decision(None, f"{whose} says {everything}")
    return Decision(names, f"{whose} says upstreams {','.join(names)}")


def _read(labels: Labels) -> UpstreamNames | None:
    try:
        return parse_upstreams(labels.get(UPSTREAMS), pointer="/labels")
    except InvalidInput:
        return None
