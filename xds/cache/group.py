"""A group of nodes that see the same resources: a predicate over names and an order of variants, never a copy.

Knows nothing of who is in it; a thousand nodes in one group and one node in each of a thousand groups read one table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from xds.wire.types import ResourceType


@dataclass(frozen=True, slots=True)
class Group:
    """Nodes with one view of the table.

    `id` alone is its identity: two groups with one id must see the same, so a changed predicate needs a changed id.
    A node sees resource `(name, v)` for the first `v` of `variants` that has that name, and only if `admits`
    (type, name) says so; None admits everything.
    """

    id: str
    variants: tuple[str, ...] = field(default=("",), compare=False)
    admits: Callable[[ResourceType, str], bool] | None = field(default=None, compare=False, repr=False)
