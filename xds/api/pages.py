"""Lists a page at a time: sorted by key, from after a cursor that is itself a key, so inserts move nothing."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query

from xds.model.names import DEFAULT_ENV, check_id

DEFAULT_LIMIT = 500
MAX_LIMIT = 5000

_Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="how many at most")]
_After = Annotated[str, Query(max_length=300, description="`next` of the page before")]
Env = Annotated[str | None, Query(max_length=128, description="the environment; `default` when left out")]
AnyEnv = Annotated[str, Query(max_length=128, description="the environment; `*` for all")]


@dataclass(frozen=True, slots=True)
class Paging:
    """Where a page begins and how long it is."""

    limit: _Limit = DEFAULT_LIMIT
    after: _After = ""

    def cut(self, keys: Iterable[str]) -> tuple[list[str], str | None]:
        """Return up to `limit` keys above `after`, and the cursor of the next page or None."""
        found = heapq.nsmallest(self.limit + 1, (key for key in keys if key > self.after))
        return (found[: self.limit], found[self.limit - 1]) if len(found) > self.limit else (found, None)


PagingOf = Annotated[Paging, Depends()]


def is_in(env: str, wanted: str) -> bool:
    """Say whether an object of `env` belongs to a list of `wanted`."""
    return wanted in {env, "*"}


def check_env(env: str) -> str:
    """Return the environment of a list; InvalidInput for what could never be one."""
    return env if env == "*" else check_id(env or DEFAULT_ENV, pointer="", what="env")
