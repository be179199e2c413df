"""Routes as documents: which requests, and where they go."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.config import JsonDict

from xds.api.scalars import Duration, Line, Name
from xds.api.schemas.base import Input, Output, Page
from xds.api.schemas.weights import RetryIn, RetryOut, WeightIn, WeightOut

_EXAMPLE: JsonDict = {
    "name": "api",
    "service": "web",
    "hosts": ["shop.example.com"],
    "path": "/api",
    "headers": {"x-tenant": "acme"},
    "timeout": "5s",
}
_OUT: JsonDict = {
    **_EXAMPLE,
    "name": "web.api",
    "env": "default",
    "path": {"prefix": "/api"},
    "methods": [],
    "headers": {"x-tenant": {"exact": "acme"}},
    "cookies": {},
    "queries": {},
    "priority": 0,
    "rewrite": None,
    "idle_timeout": None,
    "retry": None,
    "port": "",
    "subset": "",
    "split": None,
    "revision": 9,
    "owner": "api:anonymous",
}


class PathModel(Input):
    """One way to compare the path."""

    prefix: Line | None = None
    exact: Line | None = None
    regex: Line | None = None

    @model_validator(mode="after")
    def _one(self) -> PathModel:
        if sum(value is not None for value in (self.prefix, self.exact, self.regex)) != 1:
            message = "a path has one of prefix, exact and regex"
            raise ValueError(message)
        return self


class ValueModel(Input):
    """One way to compare the value of a header or cookie."""

    exact: Line | None = None
    prefix: Line | None = None
    regex: Line | None = None
    present: bool | None = None

    @model_validator(mode="after")
    def _one(self) -> ValueModel:
        if sum(value is not None for value in (self.exact, self.prefix, self.regex, self.present)) != 1:
            message = "a match has one of exact, prefix, regex and present"
            raise ValueError(message)
        return self


def _prefix(value: object) -> object:
    return {"prefix": value} if isinstance(value, str) else value


def _exact(value: object) -> object:
    return {"exact": value} if isinstance(value, str) else value


def _text_or(*names: str) -> dict[str, object]:
    """The JSON schema of text, or an object with one of `names`."""
    objects = [
        {"type": "object", "properties": {name: {"type": "boolean" if name == "present" else "string"}}}
        | {"required": [name], "additionalProperties": False}
        for name in names
    ]
    return {"anyOf": [{"type": "string"}, *objects]}


PathIn = Annotated[PathModel, BeforeValidator(_prefix), WithJsonSchema(_text_or("prefix", "exact", "regex"))]
"""A prefix as text, or an object with one of prefix, exact, regex."""

ValueIn = Annotated[
    ValueModel, BeforeValidator(_exact), WithJsonSchema(_text_or("exact", "prefix", "regex", "present"))
]
"""An exact value as text, or an object with one of exact, prefix, regex, present."""


class RouteIn(Input):
    """A rule. Its name is `<service>.<name>`; the service's part may be left out.

    It follows its service's split unless it has a `subset` or a `split` of its own.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Name | None = None
    service: Name
    env: Name | None = None
    hosts: list[Line] = Field(default_factory=list, max_length=64)
    path: PathIn | None = None
    methods: list[Line] = Field(default_factory=list, max_length=16)
    headers: dict[str, ValueIn] = Field(default_factory=dict)
    cookies: dict[str, ValueIn] = Field(default_factory=dict)
    queries: dict[str, ValueIn] = Field(default_factory=dict, description="parameters of the query, by name")
    priority: int = 0
    rewrite: Line | None = None
    timeout: Duration | None = None
    idle_timeout: Duration | None = None
    retry: RetryIn | None = None
    port: Annotated[str, Field(max_length=128, description="the name of one of the service's ports")] = ""
    subset: Name = ""
    split: list[WeightIn] | None = Field(None, min_length=1, max_length=64)


class RouteOut(Output):
    """A rule as it is declared; null means that the service decides."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OUT]})

    name: str
    service: str
    env: str
    hosts: list[str]
    path: dict[str, str]
    methods: list[str]
    headers: dict[str, dict[str, str | bool]]
    cookies: dict[str, dict[str, str | bool]]
    queries: dict[str, dict[str, str | bool]]
    priority: int
    rewrite: str | None
    timeout: str | None
    idle_timeout: str | None
    retry: RetryOut | None
    port: str
    subset: str
    split: list[WeightOut] | None
    revision: int
    owner: str


class RouteList(Page[RouteOut]):
    """A page of routes, by environment and name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_OUT], "next": None, "revision": 9}]})
