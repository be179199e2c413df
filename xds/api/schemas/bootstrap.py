"""What a bootstrap is asked for with: query parameters, one per field of the bootstrap's spec."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from xds.api.schemas.base import Input

Word = Annotated[str, Field(max_length=128)]
Place = Annotated[str, Field(max_length=64, description="address:port")]


class BootstrapQuery(Input):
    """One client: a gateway by name, a sidecar with the instance it serves or only for what it calls, gRPC itself."""

    role: Literal["sidecar", "gateway", "grpc"] = "sidecar"
    id: Word = ""
    env: Word = "default"
    service: Word = ""
    version: Word = ""
    gateway: Word = ""
    upstreams: str = Field("", max_length=4096, description="what a sidecar may call: names with commas between them")
    region: Word = ""
    zone: Word = ""
    app: Place | None = Field(None, description="where the application listens")
    egress: Place | None = Field(None, description="address:port for what the application calls, or `off`")
    ingress: Place | None = Field(None, description="address:port for what calls the application, or `off`")
    bind: Place | None = Field(None, description="address:port in place of the gateway's only listener")
    admin: Place | None = Field(None, description="address:port of Envoy's admin interface, loopback only")
    ads: Place | None = Field(None, description="host:port of the control plane, where it is not what it thinks")
