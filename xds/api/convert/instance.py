"""Instances, both ways, and the id of one that brings none."""

from __future__ import annotations

from xds.api.convert.check import check_of, check_out
from xds.api.convert.pointers import renamed
from xds.api.schemas.instance import DriftOut, InstanceIn, InstanceOut, LeaseOut, RuntimeIn
from xds.control.ports import Lease
from xds.model.drift import drift
from xds.model.duration import write_duration
from xds.model.fusion import SILENT
from xds.model.health import Health
from xds.model.instance import DEFAULT_PORT, Address, Instance, derived_id
from xds.model.names import ServiceKey
from xds.model.problems import InvalidInput
from xds.model.signal import Signal


def instance_of(document: InstanceIn, owner: str, instance_id: str | None = None) -> Instance:
    """Return the instance of a document; `instance_id` is the one in the path, which the document may repeat."""
    if instance_id is not None and document.id not in {None, instance_id}:
        raise InvalidInput(f"the path says {instance_id!r}, the document {document.id!r}", pointer="/id")
    ports = document.ports if document.ports is not None else {DEFAULT_PORT: document.port or 0}
    if not ports:
        raise InvalidInput("an instance has at least one port", pointer="/ports")
    own = next(iter(ports.values()))
    place = {f"/ports/{DEFAULT_PORT}": "/port"} if document.ports is None else {}
    with renamed(place):
        return Instance(
            id=instance_id or document.id or derived_id(document.service, document.env, document.address, own),
            service=ServiceKey.of(document.service, document.env),
            address=document.address,
            ports=ports,
            version=document.version,
            weight=document.weight,
            region=document.region,
            zone=document.zone,
            labels=document.labels,
            metadata=document.metadata,
            ingress=None if document.ingress is None else Address.parse(document.ingress, pointer="/ingress"),
            ttl=document.ttl,
            check=None if document.check is None else check_of(document.check, document.address),
            epoch=document.epoch or 0,
            seq=document.seq or 0,
            start=document.start,
            owner=owner,
        )


def signal_of(said: RuntimeIn) -> Signal:
    """Return a runtime's word as fusion takes it."""
    return Signal(Health(said.health), said.why or f"it is {said.health}", {SILENT: 1.0} if said.silent else {})


def instance_out(instance: Instance, *, revision: int, health: Health, lease: Lease | None) -> InstanceOut:
    """Return an instance as a document."""
    return InstanceOut(
        id=instance.id,
        service=instance.service.name,
        env=instance.service.env,
        address=instance.address,
        port=next(iter(instance.ports.values())),
        ports=dict(instance.ports),
        version=instance.version,
        weight=instance.weight,
        region=instance.region,
        zone=instance.zone,
        labels=dict(instance.labels),
        metadata=dict(instance.metadata),
        ingress=None if instance.ingress is None else str(instance.ingress),
        ttl=None if instance.ttl is None else write_duration(instance.ttl),
        check=None if instance.check is None else check_out(instance.check),
        epoch=instance.epoch,
        seq=instance.seq,
        start=instance.start,
        revision=revision,
        health=health.value,
        owner=instance.owner,
        lease=lease_out(lease),
        drift={each.label: DriftOut(declared=each.declared, found=each.found) for each in drift(instance)},
        verdict=None,
    )


def lease_out(lease: Lease | None) -> LeaseOut | None:
    """Return what is left of a lease, to the millisecond."""
    return None if lease is None else LeaseOut(expires_in=expires_in(lease))


def expires_in(lease: Lease) -> str:
    """Return what is left of a lease as text, to the millisecond."""
    return write_duration(round(max(0.0, lease.expires_in), 3))
