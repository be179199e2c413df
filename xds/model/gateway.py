"""A gateway: a set of Envoys at the edge, the ports they open and the hosts they serve."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from xds.model.instance import check_port
from xds.model.names import Key, check_id
from xds.model.problems import InvalidInput
from xds.model.route import check_hostname


@dataclass(frozen=True, slots=True)
class GatewayListener:
    """One open port; `address` may be unspecified (`0.0.0.0`, `::`), which means every interface."""

    name: str = "http"
    address: str = "0.0.0.0"  # noqa: S104 - an edge is there to be reached; the operator narrows it where needed
    port: int = 8080


@dataclass(frozen=True, slots=True)
class Gateway:
    """Listeners and hosts. A route is served here when one of its hosts is covered by one of `hosts`.

    `*` covers every host, `*.example.com` every name below it.
    """

    key: Key
    listeners: tuple[GatewayListener, ...] = (GatewayListener(),)
    hosts: tuple[str, ...] = ("*",)
    owner: str = ""

    def __post_init__(self) -> None:
        """Refuse what Envoy could not open or match, a gateway without listeners, and two listeners on one port."""
        if not self.listeners:
            raise InvalidInput("a gateway needs at least one listener", pointer="/listeners")
        check_id(self.key.env, pointer="/env", what="env")
        check_id(self.key.name, pointer="/name", what="gateway name")
        for at, host in enumerate(self.hosts):
            check_hostname(host, pointer=f"/hosts/{at}")
        seen: set[str] = set()
        ports: set[int] = set()
        for at, listener in enumerate(self.listeners):
            check_id(listener.name, pointer=f"/listeners/{at}/name", what="listener name")
            check_port(listener.port, pointer=f"/listeners/{at}/port")
            _check_bind(listener.address, pointer=f"/listeners/{at}/address")
            if listener.name in seen or listener.port in ports:
                raise InvalidInput("two listeners share a name or a port", pointer=f"/listeners/{at}")
            seen.add(listener.name)
            ports.add(listener.port)

    def covers(self, host: str) -> bool:
        """Say whether `host` (a name, `*.name` or `*`) is served here."""
        return any(
            pattern in {"*", host} or (pattern.startswith("*.") and host.endswith(pattern[1:]))
            for pattern in self.hosts
        )


def _check_bind(text: str, *, pointer: str) -> None:
    """Refuse what is no IP address; unlike an instance's, it may be unspecified."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise InvalidInput(f"{text[:64]!r} is not an IPv4 or IPv6 address", pointer=pointer) from None
