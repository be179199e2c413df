"""Local ports of services: each sidecar opens one for every service without an HTTP Host to tell it by.

A port is a service's for as long as it exists, and is unique within its environment. Whether a host has the port free
is not known here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from xds.model.names import ServiceKey
from xds.model.problems import Conflict, InvalidInput
from xds.model.service import Protocol, Service

FIRST_UPSTREAM_PORT = 16_000
LAST_UPSTREAM_PORT = 65_535


class UpstreamPorts:
    """Who has which port; kept in step by `note`, so that a batch of many services costs each of them little."""

    def __init__(self, services: Iterable[Service]) -> None:
        """Begin with the ports that `services` have."""
        self._owners: dict[tuple[str, int], ServiceKey] = {}
        for service in services:
            self.note(None, service)

    def note(self, before: Service | None, after: Service | None) -> None:
        """Take note of a service that came, changed or went (None)."""
        if before is not None and before.upstream_port is not None:
            self._owners.pop((before.key.env, before.upstream_port), None)
        if after is not None and after.upstream_port is not None:
            self._owners[after.key.env, after.upstream_port] = after.key

    def assign(self, service: Service) -> Service:
        """Return the service with a port if it needs one; InvalidInput for another's, Conflict when none is free."""
        env, wanted = service.key.env, service.upstream_port
        if wanted is None:
            if service.protocol is not Protocol.TCP:
                return service
            numbers = range(FIRST_UPSTREAM_PORT, LAST_UPSTREAM_PORT + 1)
            port = next((number for number in numbers if (env, number) not in self._owners), None)
            if port is None:
                raise Conflict("every local port for TCP services is taken", pointer="/upstream_port", code="no_port")
            return replace(service, upstream_port=port)
        owner = self._owners.get((env, wanted), service.key)
        if owner != service.key:
            raise InvalidInput(f"port {wanted} belongs to service {owner}", pointer="/upstream_port")
        return service
