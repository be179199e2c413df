"""What one Envoy says of itself in its bootstrap metadata, reduced to what its resources depend on.

The metadata lies under `fairlead` in the node: `{"role": "sidecar", "env": "default", "service": "web", "gateway":
"edge", "listeners": {"egress": "127.0.0.1:15001", "ingress": "0.0.0.0:15006", "gateway": "0.0.0.0:8080"},
"app": "127.0.0.1:8080"}`. Everything is optional but the role; two Envoys with the same profile share every resource.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from xds.model.instance import Address, check_port
from xds.model.names import DEFAULT_ENV, check_id
from xds.model.problems import InvalidInput, PeerError


class Role(StrEnum):
    """What an Envoy is for."""

    SIDECAR = "sidecar"
    GATEWAY = "gateway"


EGRESS = Address("127.0.0.1", 15001)
INGRESS = Address("0.0.0.0", 15006)  # noqa: S104 - a sidecar's ingress is what other hosts reach


@dataclass(frozen=True, slots=True)
class NodeProfile:
    """The part of a node's metadata that its listeners depend on.

    A sidecar has `egress` (None turns it off) and, when it serves an instance, `service`, `ingress` and `app` (where
    its application listens). A gateway has its `gateway`'s name and may override the bind of its only listener.
    """

    role: Role
    env: str = DEFAULT_ENV
    service: str = ""
    gateway: str = ""
    egress: Address | None = None
    ingress: Address | None = None
    app: Address | None = None
    bind: Address | None = None

    @property
    def variant(self) -> str:
        """Return the text by which listeners of equal profiles are one resource."""
        parts = [self.role.value, self.env, self.service or self.gateway]
        parts += [
            f"{name}={getattr(self, name)}" for name in ("egress", "ingress", "app", "bind") if getattr(self, name)
        ]
        return "|".join(parts)

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, object]) -> NodeProfile:
        """Read the metadata above; PeerError names the field that cannot be used."""
        ours = metadata.get("fairlead", {})
        if not isinstance(ours, Mapping):
            raise PeerError("node metadata 'fairlead' is not a struct", pointer="/metadata/fairlead")
        listeners = ours.get("listeners", {})
        if not isinstance(listeners, Mapping):
            raise PeerError("'listeners' is not a struct", pointer="/metadata/fairlead/listeners")
        try:
            role = Role(str(ours.get("role", Role.SIDECAR)))
            return cls(
                role=role,
                env=check_id(str(ours.get("env", DEFAULT_ENV)), pointer="/env", what="env"),
                service=str(ours.get("service", "")),
                gateway=str(ours.get("gateway", "")) if role is Role.GATEWAY else "",
                egress=_bind(listeners, "egress", EGRESS) if role is Role.SIDECAR else None,
                ingress=_bind(listeners, "ingress", INGRESS) if role is Role.SIDECAR and ours.get("app") else None,
                app=_bind(ours, "app", None) if role is Role.SIDECAR else None,
                bind=_bind(listeners, "gateway", None) if role is Role.GATEWAY else None,
            )
        except (InvalidInput, ValueError) as error:
            raise PeerError(f"node metadata 'fairlead': {error}", pointer="/metadata/fairlead") from error


def _bind(table: Mapping[str, object], name: str, default: Address | None) -> Address | None:
    """Return the address under `name`; "off" is None. Unlike an instance's, it may be unspecified."""
    text = table.get(name)
    if text is None:
        return default
    if text == "off":
        return None
    host, _, port = str(text).rpartition(":")
    try:
        number = int(port)
        canonical = str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        raise InvalidInput(f"{text!r} is not an address with a port", pointer=f"/{name}") from None
    return Address(canonical, check_port(number, pointer=f"/{name}"))
