"""Drift: what an instance says of itself against what its set declared of it.

Files declare an instance, and then its process registers by itself under the same id: the registration holds, since
it is what runs. What the set declared stays beside it, so that a difference can be shown, until the set declares the
instance anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from xds.model.instance import Instance

SET: Final = "file:"
"""How the owners begin that are sets of files."""
_IDENTITY: Final = frozenset({"id", "service", "env"})


class Differs(NamedTuple):
    """One label, or field that selectors see: as declared, and as found (None: it is missing)."""

    label: str
    declared: str
    found: str | None


def remembered(said: Instance, before: object, owner: str) -> Instance:
    """Return what `owner` says of an instance, with what a set declared of it."""
    if owner.startswith(SET):
        return replace(said, declared=_declared(said))
    held = before.declared if isinstance(before, Instance) else None
    return said if held is None else replace(said, declared=held)


def drift(instance: Instance) -> list[Differs]:
    """Return what was declared and is not so, by label. A label that nobody declared is nobody's drift."""
    if not instance.declared:
        return []
    facts = instance.facts
    return [
        Differs(label, value, facts.get(label))
        for label, value in sorted(instance.declared.items())
        if facts.get(label) != value
    ]


def _declared(said: Instance) -> Mapping[str, str]:
    return {label: value for label, value in said.facts.items() if label not in _IDENTITY}
