"""What one xDS client says of itself in its bootstrap metadata, reduced to what its resources depend on.

The metadata lies under `fairlead` in the node: `{"role": "sidecar", "env": "default", "service": "web", "gateway":
"edge", "listeners": {"egress": "127.0.0.1:15001", "ingress": "0.0.0.0:15006", "gateway": "0.0.0.0:8080"},
"app": "127.0.0.1:8080", "upstreams": ["api", "mail"], "region": "eu", "zone": "eu-1a"}`. Everything is optional; two
nodes with the same profile share every resource. A client of role `grpc` is no Envoy but gRPC itself, in a program that
needs no proxy.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from xds.model.instance import Address, split_address
from xds.model.names import DEFAULT_ENV, check_id
from xds.model.problems import InvalidInput, PeerError
from xds.model.reach import EVERYTHING, UpstreamNames, parse_upstreams


class Role(StrEnum):
    """What a node is for."""

    SIDECAR = "sidecar"
    GATEWAY = "gateway"
    GRPC = "grpc"


GRPC_AGENT = "gRPC"
"""How every gRPC implementation begins its user agent; one that speaks xDS has no use for an Envoy's resources."""
EGRESS = Address("127.0.0.1", 15001)
INGRESS = Address("0.0.0.0", 15006)  # noqa: S104 - a sidecar's ingress is what other hosts reach


@dataclass(frozen=True, slots=True)
class NodeProfile:
    """The part of a node's metadata that its resources depend on.

    A sidecar has `egress` (None turns it off) and, when it serves an instance, `service`, `ingress` and `app` (where
    its application listens); `upstreams` is what it may call, None for everything unless somebody else says it.
    A gateway has its `gateway`'s name and may override the bind of its only listener. `region` and `zone` are where it
    runs: endpoints near to it come first.
    """

    role: Role
    env: str = DEFAULT_ENV
    service: str = ""
    gateway: str = ""
    egress: Address | None = None
    ingress: Address | None = None
    app: Address | None = None
    bind: Address | None = None
    upstreams: UpstreamNames | None = None
    region: str = ""
    zone: str = ""

    @property
    def variant(self) -> str:
        """Return the text by which listeners of equal profiles are one resource, whatever their upstreams."""
        if self.role is Role.GRPC:
            return grpc_variant(self.env)
        parts = [self.role.value, self.env, self.gateway if self.role is Role.GATEWAY else self.service]
        parts += [
            f"{name}={getattr(self, name)}" for name in ("egress", "ingress", "app", "bind") if getattr(self, name)
        ]
        return "|".join(parts)

    @property
    def place(self) -> str:
        """Return the variant of endpoints as they are seen from where it runs, "" for a node that does not say."""
        return place_variant(self.env, self.region, self.zone) if self.region or self.zone else ""

    @property
    def is_restricted(self) -> bool:
        """Say whether it may call less than everything."""
        return self.upstreams not in {None, EVERYTHING}

    @property
    def scope(self) -> str:
        """Return the variant of what depends on its upstreams; the environment where it may call everything."""
        return f"{self.env}|upstreams={','.join(self.upstreams or ())}" if self.is_restricted else self.env

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, object], agent: str = "") -> NodeProfile:
        """Read the metadata above; PeerError names the field that cannot be used. `agent` is the node's user agent."""
        ours = metadata.get("fairlead", {})
        if not isinstance(ours, Mapping):
            raise PeerError("node metadata 'fairlead' is not a struct", pointer="/metadata/fairlead")
        listeners = ours.get("listeners", {})
        if not isinstance(listeners, Mapping):
            raise PeerError("'listeners' is not a struct", pointer="/metadata/fairlead/listeners")
        try:
            role = Role.GRPC if agent.startswith(GRPC_AGENT) else _role(ours)
            sidecar = role is Role.SIDECAR
            app = _bind(ours, "app", None, "/app") if sidecar else None
            return cls(
                role=role,
                env=_name(ours, "env") or DEFAULT_ENV,
                service=_name(ours, "service") if sidecar else "",
                gateway=_name(ours, "gateway") if role is Role.GATEWAY else "",
                egress=_bind(listeners, "egress", EGRESS, "/listeners/egress") if sidecar else None,
                ingress=_bind(listeners, "ingress", INGRESS, "/listeners/ingress") if app else None,
                app=app,
                bind=_bind(listeners, "gateway", None, "/listeners/gateway") if role is Role.GATEWAY else None,
                upstreams=parse_upstreams(ours.get("upstreams"), pointer="/upstreams") if sidecar else None,
                region="" if role is Role.GRPC else _name(ours, "region"),
                zone="" if role is Role.GRPC else _name(ours, "zone"),
            )
        except InvalidInput as error:
            at = f"/metadata/fairlead{error.pointer}"
            raise PeerError(f"node metadata 'fairlead': {error}", pointer=at) from error


def place_variant(env: str, region: str, zone: str) -> str:
    """Return the variant of endpoints as they are seen from a region and zone of an environment."""
    return f"{env}@{region}/{zone}"


def grpc_variant(env: str) -> str:
    """Return the variant of everything that gRPC's own clients see; they share nothing with Envoys."""
    return f"{Role.GRPC}|{env}"


def _role(table: Mapping[str, object]) -> Role:
    text = str(table.get("role", Role.SIDECAR))
    try:
        return Role(text)
    except ValueError:
        raise InvalidInput(f"{text[:64]!r} is no role: use {' or '.join(Role)}", pointer="/role") from None


def _bind(table: Mapping[str, object], name: str, default: Address | None, pointer: str) -> Address | None:
    """Return the address under `name`; "off" is None. Unlike an instance's, it may be unspecified."""
    text = table.get(name)
    if text is None:
        return default
    if text == "off":
        return None
    host, port = split_address(str(text), pointer=pointer)
    try:
        return Address(str(ipaddress.ip_address(host)), port)
    except ValueError:
        raise InvalidInput(f"{host[:64]!r} is not an IPv4 or IPv6 address", pointer=pointer) from None


def _name(table: Mapping[str, object], name: str) -> str:
    """Return the id under `name`, or "" where there is none."""
    text = str(table.get(name) or "")
    return check_id(text, pointer=f"/{name}", what=name) if text else ""
