"""A proven container as the document that the API takes."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import asdict

from xds.model.check import Check, CheckKind
from xds.model.fusion import SILENT
from xds.model.signal import Signal
from xds.sources.docker.registration import Registration


def document(
    registration: Registration, *, ttl: float, region: str = "", zone: str = "", checked: bool = False
) -> Mapping[str, object]:
    """Return the body of its registration; `region` and `zone` are the host's, for a container that says none.

    `checked` asks the control plane to go on with the check, where it can: not on this host's loopback, and not at a
    sidecar that has an address of its own.
    """
    instance, check = registration.instance, registration.check
    elsewhere = registration.place.asked.host != instance.address
    if not checked or elsewhere or ipaddress.ip_address(instance.address).is_loopback:
        check = None
    return {
        "service": instance.service.name,
        "env": instance.service.env,
        "address": instance.address,
        "ports": dict(instance.ports),
        "version": instance.version,
        "weight": instance.weight,
        "region": instance.region or region,
        "zone": instance.zone or zone,
        "labels": dict(instance.labels),
        "metadata": dict(instance.metadata),
        "ttl": ttl,
        **({} if instance.ingress is None else {"ingress": str(instance.ingress)}),
        **({} if check is None else {"check": check_document(check)}),
    }


def runtime(signal: Signal) -> Mapping[str, object]:
    """Return the engine's word on an instance as heartbeats carry it."""
    silent = {"silent": True} if signal.numbers.get(SILENT) else {}
    return {"health": signal.health.value, "why": signal.why, **silent}


def check_document(check: Check) -> Mapping[str, object]:
    """Return a check as the API takes it."""
    return {name: value.value if isinstance(value, CheckKind) else value for name, value in asdict(check).items()}
