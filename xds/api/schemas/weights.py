"""Splits, retries and split keys as documents: what services and routes both have."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from xds.api.scalars import Duration, Name, Percent
from xds.api.schemas.base import Input, Output


class WeightIn(Input):
    """One subset and its share."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"subset": "v1", "weight": 90}]})

    subset: Name
    weight: Percent


class WeightOut(Output):
    """One subset and its share in percent."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"subset": "v1", "weight": 90}]})

    subset: str
    weight: float | int


_CONDITIONS = "Envoy's retry conditions, for every method. By default the last one is for idempotent methods only"


class RetryIn(Input):
    """When and how often a request is tried again."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"attempts": 2, "on": ["connect-failure", "gateway-error"], "per_try": "1s"}]}
    )

    attempts: Annotated[int, Field(ge=0, le=10)] = 2
    on: list[Name] | None = Field(None, max_length=16, description=_CONDITIONS)
    per_try: Duration | None = None


class RetryOut(Output):
    """When and how often a request is tried again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"attempts": 2, "on": ["reset"], "per_try": None}]})

    attempts: int
    on: list[str]
    per_try: str | None


class SplitKeyModel(Input):
    """What makes a user the same user next time: a header, a cookie, or the source address when neither is given."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"cookie": "session"}]})

    header: Annotated[str, Field(max_length=256)] | None = None
    cookie: Annotated[str, Field(max_length=256)] | None = None

    @model_validator(mode="after")
    def _one(self) -> SplitKeyModel:
        if self.header is not None and self.cookie is not None:
            message = "a split key is a header or a cookie, not both"
            raise ValueError(message)
        return self


def _source(value: object) -> object:
    return {} if value == "source" else value


SplitKeyIn = Annotated[
    SplitKeyModel,
    BeforeValidator(_source),
    WithJsonSchema(
        {
            "anyOf": [
                {"const": "source"},
                {"type": "object", "properties": {"header": {"type": "string"}}, "required": ["header"]},
                {"type": "object", "properties": {"cookie": {"type": "string"}}, "required": ["cookie"]},
            ],
            "examples": [{"header": "x-user"}],
        }
    ),
]
"""`"source"`, `{"header": name}` or `{"cookie": name}`."""
