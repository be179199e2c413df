"""Gateways as documents: the ports at the edge and the hosts served there."""

from __future__ import annotations

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from xds.api.scalars import Line, Name, Port
from xds.api.schemas.base import Input, Output, Page

_EXAMPLE: JsonDict = {
    "name": "edge",
    "listeners": [{"name": "http", "address": "0.0.0.0", "port": 8080}],  # noqa: S104 - an example of an edge
    "hosts": ["*.example.com"],
}
_OUT: JsonDict = {**_EXAMPLE, "env": "default", "revision": 3, "owner": "api:anonymous"}


class ListenerIn(Input):
    """One open port; an unspecified address means every interface."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "http", "port": 8080}]})

    name: Name = "http"
    address: Line = "0.0.0.0"  # noqa: S104 - an edge is there to be reached; the operator narrows it where needed
    port: Port


class GatewayIn(Input):
    """A set of Envoys at the edge. Without `hosts` it serves every host that a route names."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Name | None = None
    env: Name | None = None
    listeners: list[ListenerIn] | None = Field(None, min_length=1, max_length=16)
    hosts: list[Line] | None = Field(None, min_length=1, max_length=64)


class ListenerOut(Output):
    """One open port."""

    name: str
    address: str
    port: int


class GatewayOut(Output):
    """A gateway as it is declared."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OUT]})

    name: str
    env: str
    listeners: list[ListenerOut]
    hosts: list[str]
    revision: int
    owner: str


class GatewayList(Page[GatewayOut]):
    """A page of gateways, by environment and name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_OUT], "next": None, "revision": 3}]})
