"""Checks as documents: how the control plane asks an instance whether it can serve."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from xds.api.scalars import Duration, Port
from xds.api.schemas.base import Input, Output

CheckKindName = Literal["http", "tcp", "grpc", "ttl"]

_EXAMPLE: JsonDict = {"kind": "http", "path": "/healthz", "interval": "2s"}
_OUT: JsonDict = {
    **_EXAMPLE,
    "port": None,
    "host": "",
    "service": "",
    "timeout": None,
    "rise": 2,
    "fall": 3,
    "start_period": "1m",
    "fast": False,
    "tls": False,
}


class CheckIn(Input):
    """How an instance is checked. With a check, it gets no request before `rise` good answers in a row."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    kind: CheckKindName
    port: Annotated[Port | None, Field(description="where, if not at the instance's first port")] = None
    path: Annotated[str, Field(max_length=1024, description="what HTTP asks for; only 2xx is good")] = "/"
    host: Annotated[str, Field(max_length=255, description="HTTP's Host header, if not the address")] = ""
    service: Annotated[str, Field(max_length=255, description="what gRPC asks for; empty is the whole server")] = ""
    interval: Annotated[
        Duration, Field(description="between two questions; for ttl, within what a heartbeat comes")
    ] = 5.0
    timeout: Annotated[Duration | None, Field(description="for a whole answer; 2s, at most the interval")] = None
    rise: Annotated[int, Field(ge=1, le=100, description="good answers in a row that make it healthy")] = 2
    fall: Annotated[int, Field(ge=1, le=100, description="bad answers in a row that make it unhealthy")] = 3
    start_period: Annotated[Duration, Field(description="how long it may take to be ready without an alarm")] = 60.0
    fast: Annotated[bool, Field(description="ask every 100 ms, and give each answer 250 ms")] = False
    tls: Annotated[bool, Field(description="ask over TLS, whoever the certificate is made out to")] = False


class CheckOut(Output):
    """How an instance is checked."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OUT]})

    kind: str
    port: int | None
    path: str
    host: str
    service: str
    interval: str
    timeout: str | None
    rise: int
    fall: int
    start_period: str
    fast: bool
    tls: bool
