"""What a bootstrap is made from: one Envoy's role, name and addresses, checked before anything is written.

The part that the control plane reads back (`metadata`) is held to `xds.model.node` here, so that a node that our own
bootstrap describes is never refused on its stream.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from dataclasses import dataclass, replace

from xds.model.instance import Address, check_port
from xds.model.names import DEFAULT_ENV, check_id
from xds.model.node import EGRESS, INGRESS, NodeProfile, Role
from xds.model.problems import InvalidInput
from xds.model.reach import parse_upstreams

ADMIN = Address("127.0.0.1", 15000)
ADS = Address("127.0.0.1", 15010)

_NAME = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\Z"
)
_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}\Z")
_ANY_PORT = 0


@dataclass(frozen=True, slots=True)
class BootstrapSpec:
    """One xDS client. Ports may be 0 until they are allocated; `bootstrap` refuses them then.

    A sidecar serves `service` at `app` (where its application listens) through `ingress`, and offers `egress` to its
    application; without a service it only offers egress. A gateway has its `gateway`'s name and may override the bind
    of its only listener. A client of role `grpc` has an id and a place, nothing else. `upstreams` "" leaves what a
    sidecar may call to labels (see xds.model.reach). `id` "" derives one. `ads` is the control plane, by address or by
    name. `reports` turns on what traffic is judged by: load reports and the metrics sink, and runtime by xDS.
    """

    role: Role = Role.SIDECAR
    id: str = ""
    env: str = DEFAULT_ENV
    service: str = ""
    version: str = ""
    gateway: str = ""
    upstreams: str = ""
    egress: Address | None = EGRESS
    ingress: Address | None = INGRESS
    app: Address | None = None
    bind: Address | None = None
    admin: Address = ADMIN
    ads: Address = ADS
    token: str = ""
    region: str = ""
    zone: str = ""
    reports: bool = True
    max_connections: int = 20_000

    def __post_init__(self) -> None:
        """Refuse what no Envoy could run with or the control plane would refuse, with a pointer to the field."""
        for name in ("env", "id", "service", "version", "gateway", "region", "zone"):
            if value := getattr(self, name):
                check_id(value, pointer=f"/{name}", what=name)
        parse_upstreams(self.upstreams, pointer="/upstreams")
        if self.upstreams and self.role is not Role.SIDECAR:
            raise InvalidInput(f"upstreams are a sidecar's; a {self.role} sees what it needs", pointer="/upstreams")
        if self.role is Role.GATEWAY:
            self._check_gateway()
        elif self.role is Role.GRPC:
            self._check_grpc()
        elif self.gateway or self.bind:
            raise InvalidInput("a sidecar has no gateway: use role gateway", pointer="/gateway")
        elif bool(self.service) != bool(self.app):
            raise InvalidInput(
                "a sidecar that serves needs both: the service, and where its application listens (app)",
                pointer="/app" if self.service else "/service",
            )
        if self.token and not _TOKEN.match(self.token):
            raise InvalidInput("the token may hold visible ASCII characters only", pointer="/token")
        if not 1 <= self.max_connections <= 10_000_000:
            raise InvalidInput(
                f"{self.max_connections} connections are not between 1 and 10,000,000", pointer="/max_connections"
            )
        if self.ads.host in {"0.0.0.0", "::"}:  # noqa: S104 - refused here
            raise InvalidInput(
                f"{self.ads.host} is where a control plane listens, not where an Envoy finds it: name its host",
                pointer="/ads",
            )
        if not ipaddress.ip_address(self.admin.host).is_loopback:
            raise InvalidInput(
                f"the admin interface can end Envoy and shows its secrets: {self.admin} is not loopback",
                pointer="/admin",
            )

    def _check_gateway(self) -> None:
        if not self.gateway:
            raise InvalidInput("a gateway needs the name of its gateway object", pointer="/gateway")
        if self.service or self.app:
            raise InvalidInput("a gateway serves no instance: use role sidecar", pointer="/service")

    def _check_grpc(self) -> None:
        if not self.id:
            raise InvalidInput("a gRPC client needs an id of its own: two with one id count as one", pointer="/id")
        for name in ("service", "gateway", "app", "bind"):
            if getattr(self, name):
                raise InvalidInput("a gRPC client only calls: it has no such thing", pointer=f"/{name}")
        if self.token:
            message = "gRPC sends no token over a connection without TLS, and this control plane has none"
            raise InvalidInput(message, pointer="/token")

    @property
    def binds(self) -> dict[str, Address]:
        """Return what this Envoy will open by this spec, by name; a gateway's own listeners come over xDS."""
        if self.role is Role.GRPC:
            return {}
        opened = {"admin": self.admin}
        if self.role is Role.GATEWAY:
            if self.bind:
                opened["gateway"] = self.bind
            return opened
        if self.egress:
            opened["egress"] = self.egress
        if self.ingress and self.app:
            opened["ingress"] = self.ingress
        return opened

    def bound(self, allocated: dict[str, Address]) -> BootstrapSpec:
        """Return the spec with the addresses that were allocated for `binds`."""
        fields = {"gateway": "bind"}
        return replace(self, **{fields.get(name, name): at for name, at in allocated.items()})  # type: ignore[arg-type]  # the names of `binds`

    @property
    def node_id(self) -> str:
        """Return the id given, or one of role, names and a digest of where this Envoy listens on its host.

        It must differ between Envoys and stay for one that restarts; so it rests on the addresses, and on the host's
        name only through `id`, which whoever knows the host may give.
        """
        if self.id:
            return self.id
        name = self.gateway if self.role is Role.GATEWAY else self.service or "egress"
        parts = [self.role.value, name, *([self.version] if self.version else [])]
        places = "|".join(f"{name}={at}" for name, at in sorted(self.binds.items()))
        suffix = hashlib.sha256(f"{self.env}|{places}".encode()).hexdigest()[:8]
        return f"{'-'.join(parts)[:110]}-{suffix}"

    @property
    def metadata(self) -> dict[str, object]:
        """Return the node metadata under `fairlead` (see xds.model.node)."""
        ours: dict[str, object] = {"role": self.role.value, "env": self.env}
        if self.role is Role.GATEWAY:
            ours["gateway"] = self.gateway
            if self.bind:
                ours["listeners"] = {"gateway": str(self.bind)}
        elif self.role is Role.SIDECAR:
            if self.service:
                ours |= {"service": self.service, "app": str(self.app)}
            ours["listeners"] = {
                "egress": str(self.egress) if self.egress else "off",
                **({"ingress": str(self.ingress) if self.ingress else "off"} if self.app else {}),
            }
            if names := parse_upstreams(self.upstreams, pointer="/upstreams"):
                ours["upstreams"] = list(names)
        if self.role is not Role.GRPC:  # which balances by itself
            ours |= {name: value for name, value in (("region", self.region), ("zone", self.zone)) if value}
        if self.version:
            ours["version"] = self.version
        NodeProfile.from_metadata({"fairlead": ours})
        return ours


def parse_bind(text: str, *, pointer: str) -> Address:
    """Read `0.0.0.0:80` or `[::]:0`: any local address, and port 0 for one that is free; InvalidInput otherwise."""
    host, port = _split(text, pointer=pointer)
    try:
        canonical = str(ipaddress.ip_address(host))
    except ValueError:
        raise InvalidInput(f"{host!r} is not an IPv4 or IPv6 address", pointer=pointer) from None
    return Address(canonical, port if port == _ANY_PORT else check_port(port, pointer=pointer))


def parse_endpoint(text: str, *, pointer: str) -> Address:
    """Read an address or a host's name with a port: where an Envoy finds its control plane."""
    host, port = _split(text, pointer=pointer)
    try:
        host = str(ipaddress.ip_address(host))
    except ValueError:
        if not _NAME.match(host):
            raise InvalidInput(f"{host!r} is neither an address nor a host's name", pointer=pointer) from None
    return Address(host, check_port(port, pointer=pointer))


def _split(text: str, *, pointer: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or len(port) > 5:
        raise InvalidInput(f"{text!r} is not an address with a port, as in 127.0.0.1:15010", pointer=pointer)
    return host.strip("[]"), int(port)
