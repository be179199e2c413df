"""A proven container as the document that the API takes."""

from __future__ import annotations

from collections.abc import Mapping

from xds.sources.docker.registration import Registration


def document(registration: Registration, *, ttl: float, region: str = "", zone: str = "") -> Mapping[str, object]:
    """Return the body of its registration; `region` and `zone` are the host's, for a container that says none."""
    instance = registration.instance
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
    }
