"""Names and numbers that only one service can have: names of named ports, local ports of upstreams.

Both tables decide the same way: a real service before a named port, then the first by name; whoever comes too late is
reported and goes without.
"""

from __future__ import annotations

from collections.abc import Iterable, Set

from xds.model.labels import escape
from xds.model.names import ServiceKey
from xds.model.problems import Problem

from . import naming
from .product import Upstream

_Claim = tuple[str, str]  # service, port


class Claims:
    """Which service answers under `<service>.<port>`."""

    def __init__(self) -> None:
        """Start empty."""
        self._ports: dict[str, frozenset[str]] = {}
        self._claims: dict[str, set[_Claim]] = {}
        self._contested: set[str] = set()

    def state(self, service: str, ports: frozenset[str] | None) -> set[str]:
        """Note that `service` exists with these named ports (None: is gone); return the others whom that touches."""
        before = self._ports.get(service)
        if before == ports:
            return set()
        names = {naming.host(service, port) for port in (before or frozenset()) ^ (ports or frozenset())}
        if ports is None:
            del self._ports[service]
        else:
            self._ports[service] = ports
        if before is None or ports is None:
            names.add(service)
        for port in (before or frozenset()) - (ports or frozenset()):
            self._claims[naming.host(service, port)].discard((service, port))
        for port in (ports or frozenset()) - (before or frozenset()):
            self._claims.setdefault(naming.host(service, port), set()).add((service, port))
        return {claim[0] for name in names for claim in self._settle(name)} - {service}

    def granted(self, service: str) -> frozenset[str]:
        """Return the named ports that a service may offer."""
        ports = self._ports.get(service, frozenset())
        return frozenset(port for port in ports if self._owner(naming.host(service, port)) == (service, port))

    def problems(self, env: str) -> Iterable[Problem]:
        """Return who goes without."""
        for name in sorted(self._contested):
            owner = self._owner(name)
            what = f"port {owner[1]} of {owner[0]}" if owner else "the service of that name"
            for service, port in sorted(self._claims[name]):
                if (service, port) != owner:
                    message = f"{name!r} is {what}; this port cannot be reached"
                    yield Problem("service", str(ServiceKey(env, service)), f"/ports/{escape(port)}", message)

    def _settle(self, name: str) -> set[_Claim]:
        """Bring the list of contested names up to date; return who claims `name`."""
        claims = self._claims.get(name, set())
        if len(claims) + (name in self._ports) > 1 and claims:
            self._contested.add(name)
        else:
            self._contested.discard(name)
        if not claims:
            self._claims.pop(name, None)
        return claims

    def _owner(self, name: str) -> _Claim | None:
        """Return the claim that holds, None when a real service has the name."""
        return None if name in self._ports else min(self._claims.get(name, ()), default=None)


class Upstreams:
    """Which service has which local port in the sidecars."""

    def __init__(self) -> None:
        """Start empty."""
        self._wanted: dict[str, Upstream] = {}
        self._changed = False
        self.standing: dict[str, Upstream] = {}

    def put(self, service: str, upstream: Upstream | None) -> None:
        """Note what a service wants; None for nothing."""
        if self._wanted.get(service) == upstream:
            return
        self._changed = True
        if upstream is None:
            del self._wanted[service]
        else:
            self._wanted[service] = upstream

    def settle(self) -> Set[str]:
        """Decide; return the services whose port came, went or changed."""
        if not self._changed:
            return frozenset()
        self._changed = False
        before, self.standing, taken = self.standing, {}, set()
        for service in sorted(self._wanted):
            upstream = self._wanted[service]
            if upstream.port not in taken:
                taken.add(upstream.port)
                self.standing[service] = upstream
        names = before.keys() | self.standing.keys()
        return frozenset(name for name in names if before.get(name) != self.standing.get(name))

    def problems(self, env: str) -> Iterable[Problem]:
        """Return who goes without."""
        owners = {upstream.port: service for service, upstream in self.standing.items()}
        for service in sorted(self._wanted.keys() - self.standing.keys()):
            port = self._wanted[service].port
            message = f"port {port} is already the local port of {owners[port]}; {service} has none in the sidecars"
            yield Problem("service", str(ServiceKey(env, service)), "/upstream_port", message)
