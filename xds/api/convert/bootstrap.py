"""From query parameters to the spec of a bootstrap."""

from __future__ import annotations

from xds.api.schemas.bootstrap import BootstrapQuery
from xds.bootstrap import ADMIN, BootstrapSpec, parse_bind, parse_endpoint
from xds.model.instance import Address
from xds.model.node import EGRESS, INGRESS, Role


def spec_of(asked: BootstrapQuery, ads: Address, token: str) -> BootstrapSpec:
    """Return the spec of the Envoy that is asked for; `ads` and `token` are how it finds and convinces us."""
    return BootstrapSpec(
        role=Role(asked.role),
        id=asked.id,
        env=asked.env,
        service=asked.service,
        version=asked.version,
        gateway=asked.gateway,
        upstreams=asked.upstreams,
        region=asked.region,
        zone=asked.zone,
        app=None if asked.app is None else Address.parse(asked.app, pointer="/app"),
        egress=None if asked.egress == "off" else _bind(asked.egress, "/egress") or EGRESS,
        ingress=None if asked.ingress == "off" else _bind(asked.ingress, "/ingress") or INGRESS,
        bind=_bind(asked.bind, "/bind"),
        admin=_bind(asked.admin, "/admin") or ADMIN,
        ads=ads if asked.ads is None else parse_endpoint(asked.ads, pointer="/ads"),
        token=token,
    )


def found_at(ads: Address, host: str | None) -> Address:
    """Return where an Envoy finds ADS: `ads` itself, or its port on `host` where it listens on every address."""
    if host is None or ads.host not in {"0.0.0.0", "::"}:  # noqa: S104 - looked for, not served
        return ads
    bracketed = f"[{host}]" if ":" in host else host
    return parse_endpoint(f"{bracketed}:{ads.port}", pointer="/ads")


def _bind(text: str | None, pointer: str) -> Address | None:
    return None if text is None else parse_bind(text, pointer=pointer)
