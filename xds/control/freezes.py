"""What is frozen: contents that Envoys refused and that were taken back, and what runs in their place.

Remembers, for what may be taken back, the content before the present one and the last one that a node acknowledged: two
a resource at most. A refused content stays out for as long as translation goes on giving exactly that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from xds.cache.resource import Resource, ResourceKey
from xds.cache.roster import NodeState
from xds.control.verdicts import Verdict, is_acknowledged
from xds.model.problems import Problem
from xds.wire.types import ResourceType

SHOWN = 3  # refusers that a problem names


@dataclass(frozen=True, slots=True)
class Frozen:
    """A content that was taken back, why, and what is published instead; None: nothing of that name."""

    verdict: Verdict
    instead: Resource | None

    @property
    def reason(self) -> str:
        """Return who refused it, in whose words."""
        verdict = self.verdict
        names = ", ".join(verdict.nodes[:SHOWN]) + (", ..." if len(verdict.nodes) > SHOWN else "")
        return f"{len(verdict.nodes)} of {verdict.holders} Envoys refused it ({names}): {verdict.message}"

    @property
    def problem(self) -> Problem:
        """Return what to tell an operator."""
        refused = self.verdict.refused
        instead = "the content before it runs instead" if self.instead else "nothing of that name is published instead"
        message = f"{self.reason}; it was taken back, {instead}, and anything new is published at once"
        where = f" of {refused.variant}" if refused.variant else ""
        return Problem("freeze", f"{refused.type.short} {refused.name}{where}", "", message)


@dataclass(frozen=True, slots=True)
class _Past:
    """Contents before the present one: the last acknowledged by anybody, and the last of all."""

    good: Resource | None
    last: Resource


class Freezes:
    """The frozen resources, and what could take their place."""

    def __init__(self) -> None:
        """Start with nothing frozen and nothing known."""
        self._past: dict[ResourceKey, _Past] = {}
        self._frozen: dict[ResourceKey, Frozen] = {}
        self._fresh: set[ResourceKey] = set()

    def admit(self, resources: Iterable[Resource]) -> list[Resource]:
        """Return what may be published of what translation gives: all but the contents that were taken back."""
        admitted: list[Resource] = []
        for resource in resources:
            found = self._frozen.get(resource.key)
            if found is not None and found.verdict.refused.version == resource.version:
                continue
            self._frozen.pop(resource.key, None)
            admitted.append(resource)
        return admitted

    def replaced(self, before: Resource | None, after: Resource, nodes: Sequence[NodeState]) -> None:
        """Note that `after` takes the place of `before`; None: the name is new while Envoys are served."""
        key = after.key
        if key.type is ResourceType.ENDPOINT or (before is not None and before.version == after.version):
            return
        if before is None:
            self._fresh.add(key)
            return
        known = self._past.get(key)
        good = before if is_acknowledged(before, nodes) else known.good if known is not None else None
        self._past[key] = _Past(good, before)

    def removed(self, key: ResourceKey) -> None:
        """Forget what is gone."""
        self._frozen.pop(key, None)
        self._past.pop(key, None)
        self._fresh.discard(key)

    def freeze(self, verdict: Verdict, nodes: Sequence[NodeState]) -> Frozen | None:
        """Freeze what a verdict is about and return what to do; None where nothing is known to run instead.

        That is so for what the control plane found at its start: Envoys keep what they have of it, which is more than
        nothing.
        """
        key = verdict.refused.key
        past = self._past.get(key)
        if past is None and key not in self._fresh:
            return None
        instead: Resource | None = None
        if past is not None:
            instead = past.last if past.good is None or is_acknowledged(past.last, nodes) else past.good
            if instead is not past.good:  # should this be refused as well, there is nothing left to run
                self._fresh.add(key)
            del self._past[key]
        self._frozen[key] = Frozen(verdict, instead)
        return self._frozen[key]

    def get(self, key: ResourceKey) -> Frozen | None:
        """Return what was taken back under `key`, if anything was."""
        return self._frozen.get(key)

    @property
    def problems(self) -> Iterator[Problem]:
        """What operators should know of what is frozen."""
        return (frozen.problem for frozen in self._frozen.values())
