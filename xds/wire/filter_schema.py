"""What the health filter is told, as schemas: its plugin configuration and the facts that ride in a route.

One place for the shapes that the filter reads in Wasm (``filters/health/src/config.rs`` and ``facts.rs``). The module
knows shapes and limits, not how they travel: a route's facts become ``filter_metadata.fairlead``, the defaults the
text of the plugin's configuration.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

METADATA_NAMESPACE = "fairlead"
"""Key of the facts in ``filter_metadata``."""
BUCKET_HEADER = "x-fairlead-bucket"
LARGEST_CONFIGURATION = 64 * 1024
"""Bytes of plugin configuration that the filter reads at most."""

_TOKEN = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"
Name = Annotated[str, Field(min_length=1, max_length=128, pattern=_TOKEN)]
"""A header's or cookie's name: a token of RFC 9110 section 5.6.2."""
Salt = Annotated[str, Field(max_length=1024, pattern=r"^[^\x00]*$")]
Weight = Annotated[int, Field(ge=0, le=10_000, strict=True)]
"""10,000ths."""


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FilterKey(_Frozen):
    """Where a request's key comes from: exactly one of a header, a cookie or the source address."""

    header: Name | None = None
    cookie: Name | None = None
    source: Literal[True] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> FilterKey:
        if sum(value is not None for value in (self.header, self.cookie, self.source)) != 1:
            raise ValueError("a key is exactly one of header, cookie and source")
        return self


class FilterDefaults(_Frozen):
    """The plugin's configuration: used where a route says nothing. Without ``default_key`` such routes stay random."""

    version: Literal[1] = 1
    header: Name = BUCKET_HEADER
    default_key: FilterKey | None = None
    default_salt: Salt = ""

    def to_configuration(self) -> bytes:
        """The JSON text that the filter reads, the same bytes for equal values."""
        return self.model_dump_json(exclude_none=True).encode()


class RouteFacts(_Frozen):
    """What a route tells the filter. ``split`` lists (cluster, weight) in order; a cluster may repeat."""

    service: str
    env: str = "default"
    split: tuple[tuple[str, Weight], ...] = ()
    key: FilterKey | None = None
    salt: Salt = ""

    def to_struct(self) -> dict[str, JsonValue]:
        """The fields of ``filter_metadata.fairlead`` as plain JSON values, in a fixed order."""
        fields: dict[str, JsonValue] = {"env": self.env, "service": self.service, "salt": self.salt}
        if self.key is not None:
            fields["key"] = self.key.model_dump(exclude_none=True)
        if self.split:
            fields["split"] = [[cluster, weight] for cluster, weight in self.split]
        return fields
