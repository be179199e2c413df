"""What a response will carry, worked out once for all streams that owe the same, and what is kept of it till answered.

After a publish a thousand streams owe the same few names of the same view. What these names are now, and the bytes that
say so, is the same for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from xds.cache.resource import MARK_MODULUS, Held, Resource
from xds.cache.snapshot import View

from .requests import Outgoing

NOBODY: Final[frozenset[str]] = frozenset()


class Plan(NamedTuple):
    """Some names as one view has them.

    `contents`: name as it was asked for -> resource; `resources`: the same, each once, though asked for by several
    names (rule 23); `held`: the same as versions; `missing`: names under which there is nothing; `total`: the sum of
    the marks of `contents`; `timed`, `aliased`: whether any has a time to live, or was asked for by an alias.
    """

    contents: Mapping[str, Resource]
    resources: tuple[Resource, ...]
    held: Mapping[str, Held]
    names: frozenset[str]
    missing: tuple[str, ...]
    total: int
    timed: bool
    aliased: bool


class Response(NamedTuple):
    """A response, and the contents in it that are new to the client: what they warm must be sent again (rule 28)."""

    outgoing: Outgoing
    fresh: list[Resource]


@dataclass(slots=True)
class Unanswered:
    """A response that the client has not answered.

    Its nonce, when it was sent, the names in it, those that it says no more of than that they live on, whether it is
    overdue.
    """

    nonce: str
    at: float
    names: frozenset[str]
    beats: frozenset[str] = NOBODY
    reported: bool = False


def plan(view: View, owed: frozenset[str]) -> Plan:
    """Return what a response about these names will carry; shared by all who owe the same."""
    return view.shared(owed, lambda: _plan(view, owed))


def _plan(view: View, owed: frozenset[str]) -> Plan:
    found = {name: view.find(name) for name in sorted(owed)}
    contents = {name: resource for name, resource in found.items() if resource is not None}
    resources = unique(contents.values())
    held = {name: resource.held for name, resource in contents.items()}
    missing = tuple(name for name, resource in found.items() if resource is None)
    total = sum(resource.mark for resource in contents.values()) % MARK_MODULUS
    timed = any(resource.timed is not None for resource in resources)
    aliased = any(name != resource.name for name, resource in contents.items())
    return Plan(contents, resources, held, frozenset(contents), missing, total, timed, aliased)


def unique(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """Return each resource once, in their order."""
    return tuple({resource.name: resource for resource in resources}.values())
