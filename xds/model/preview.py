"""A preview: who reaches the new version of a rollout beside its share, and what it gets copies of.

It lasts as long as a rollout is in progress and neither promoted nor taken back, so that nobody is left with a version
that was found bad. A rollout can have one while its share is still 0 percent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xds.model.names import check_id
from xds.model.problems import InvalidInput
from xds.model.route import MAX_MATCHES, ValueMatch, check_value_match
from xds.model.split import TOTAL

Conditions = tuple[tuple[ValueMatch, ...], tuple[ValueMatch, ...]]
"""Headers and cookies that a request has, all of them."""


@dataclass(frozen=True, slots=True)
class Preview:
    """Requests with *any* of these headers and cookies go to `version`; it gets copies of `mirror` 10,000ths of all."""

    version: str
    headers: tuple[ValueMatch, ...] = ()
    cookies: tuple[ValueMatch, ...] = ()
    mirror: int = 0

    def __post_init__(self) -> None:
        """Refuse what Envoy would refuse, and a preview that shows nothing."""
        check_id(self.version, pointer="/version", what="version")
        found = len(self.headers) + len(self.cookies)
        if found > MAX_MATCHES:
            raise InvalidInput(
                f"{found} header and cookie matches, at most {MAX_MATCHES} are allowed", pointer="/preview"
            )
        for group, matches in (("headers", self.headers), ("cookies", self.cookies)):
            for at, match in enumerate(matches):
                check_value_match(match, pointer=f"/preview/{group}/{at}")
        if not 0 <= self.mirror <= TOTAL:
            raise InvalidInput("copies are made of 0 to 100 percent of the requests", pointer="/preview/mirror")
        if not found and not self.mirror:
            raise InvalidInput("a preview needs headers, cookies or a mirror", pointer="/preview")

    @property
    def alternatives(self) -> Iterator[Conditions]:
        """Yield conditions of which one is enough."""
        yield from (((match,), ()) for match in self.headers)
        yield from (((), (match,)) for match in self.cookies)
