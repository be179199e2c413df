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
Percent = Annotated[int, Field(ge=0, le=100, strict=True)]
Milliseconds = Annotated[int, Field(ge=0, le=86_400_000, strict=True)]
"""Up to a day: nothing that a breaker waits for may take longer."""


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


class BreakerRule(_Frozen):
    """When a breaker opens, how long it stays open, and how it closes: the one place of its defaults.

    A breaker belongs to one cluster (service, version and port) and looks at the last ten seconds. Whole numbers only,
    so that Rust, Python and every worker decide alike. The reasons for the defaults are in docs/breaker-policy.md.
    """

    model_config = ConfigDict(use_attribute_docstrings=True)

    consecutive: Annotated[int, Field(ge=0, le=1_000, strict=True)] = 5
    """Hard failures in a row that open it; 0: off."""
    errors: Percent = 50
    """Percent of failures in the window that open it; 0: off."""
    slow: Percent = 80
    """Percent of slow answers in the window that open it; 0: off, as it is while slow_ms is 0."""
    slow_ms: Milliseconds = 0
    """An answer is slow from here on; 0: none is."""
    minimum: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] = 20
    """Answers in the window before a share of them counts."""
    open_ms: Annotated[Milliseconds, Field(ge=1)] = 5_000
    """Open for so long the first time, and twice as long each time it reopens."""
    open_max_ms: Annotated[Milliseconds, Field(ge=1)] = 300_000
    """Open for so long at most; bounds Retry-After, too."""
    probes: Annotated[int, Field(ge=1, le=100, strict=True)] = 3
    """Good probes that it takes to leave probing, of at most two more; two bad ones reopen it."""
    ramp_ms: Milliseconds = 2_000
    """So long at each of 10, 25, 50, 75 and 100 percent; 0: everything at once."""
    service: Annotated[bool, Field(strict=True)] = False
    """True: 503 with retry-after where every version is open; false: the last one is never cut off."""


Forced = Literal["open", "closed"]
"""What an operator may hold a breaker at."""


class RouteBreaker(BreakerRule):
    """A breaker as it rides in a route: the rule, and what an operator forces, by cluster as in ``split``."""

    force: dict[str, Forced] = Field(default_factory=dict)

    def to_struct(self) -> dict[str, JsonValue]:
        """Every field, defaults too: what Envoy shows is what holds, whatever another filter takes for a default."""
        return self.model_dump(exclude={"force"} if not self.force else None)


class RouteFacts(_Frozen):
    """What a route tells the filter. ``split`` lists (cluster, weight) in order; a cluster may repeat.

    Without a ``breaker`` there is none on that route; with one there is a ``split``, of one entry if need be.
    """

    service: str
    env: str = "default"
    split: tuple[tuple[str, Weight], ...] = ()
    key: FilterKey | None = None
    salt: Salt = ""
    breaker: RouteBreaker | None = None

    @model_validator(mode="after")
    def _breaker_of_something(self) -> RouteFacts:
        if self.breaker is not None and not self.split:
            raise ValueError("a breaker is of the clusters in split, and there is no split")
        return self

    def to_struct(self) -> dict[str, JsonValue]:
        """The fields of ``filter_metadata.fairlead`` as plain JSON values, in a fixed order."""
        fields: dict[str, JsonValue] = {"env": self.env, "service": self.service, "salt": self.salt}
        if self.key is not None:
            fields["key"] = self.key.model_dump(exclude_none=True)
        if self.split:
            fields["split"] = [[cluster, weight] for cluster, weight in self.split]
        if self.breaker is not None:
            fields["breaker"] = self.breaker.to_struct()
        return fields
