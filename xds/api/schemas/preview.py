"""A preview as a document: who reaches the new version of a rollout beside its share."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from xds.api.scalars import Percent
from xds.api.schemas.base import Input, Output
from xds.api.schemas.route import ValueIn

_PREVIEW: Final[JsonDict] = {"headers": {"x-canary": "insider"}, "cookies": {"canary": "always"}, "mirror": 10}
PREVIEW_OUT: Final[JsonDict] = {
    "headers": {"x-canary": {"exact": "insider"}},
    "cookies": {"canary": {"exact": "always"}},
    "mirror": 10,
}


class PreviewIn(Input):
    """Requests with *any* of these headers or cookies reach the new version from its first step on, also at 0 percent.

    They do as long as it has a healthy instance and the rollout is neither promoted nor aborted. `mirror` is the
    percent of all requests that it gets copies of; nobody waits for a copy, and what copies do is real.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_PREVIEW]})

    headers: dict[str, ValueIn] = Field(default_factory=dict)
    cookies: dict[str, ValueIn] = Field(default_factory=dict)
    mirror: Percent = 0


class PreviewOut(Output):
    """Who reaches the new version beside its share, and the percent of all requests that it gets copies of."""

    model_config = ConfigDict(json_schema_extra={"examples": [PREVIEW_OUT]})

    headers: dict[str, dict[str, str | bool]]
    cookies: dict[str, dict[str, str | bool]]
    mirror: Annotated[float | int, Field(description="percent")]
