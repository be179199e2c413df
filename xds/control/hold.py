"""Hold: the store is not believed; the last known good state is served, and nothing is accepted until it is decided.

Reads, pushes, heartbeats and observations go on. Nothing is written, so that whichever side is chosen is there as it
was found. The decision is one commit: what is chosen becomes what both store and Envoys have.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from xds.control.ports import Commit, Doubt, Entry, Loaded
from xds.model.intent import Declared, Ref, ref
from xds.model.problems import Unavailable


class Keep(StrEnum):
    """What an operator decides for: what is served (the last known good state), or what the store holds."""

    SERVED = "served"
    STORED = "stored"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to go on with, who decided and why; `answer` is given the revision once it is durable."""

    keep: Keep
    actor: str
    reason: str
    answer: asyncio.Future[int]


class Hold:
    """What is served, what the store holds, and what to do about it."""

    def __init__(self, doubt: Doubt, stored: Loaded) -> None:
        """Hold the last known good state of `doubt` against what the store holds."""
        self.reason = doubt.reason
        self.aside = doubt.aside
        self.served = doubt.good
        self.stored = stored

    @property
    def refusal(self) -> Unavailable:
        """Return what whoever wants to write is told."""
        return Unavailable(
            f"{self.reason}. The last known good state is served, and nothing is accepted until an operator decides: "
            "see `fairlead hold show`",
            code="hold",
        )

    @property
    def differences(self) -> Mapping[str, int]:
        """Return how many objects of each kind differ between what is served and what the store holds."""
        served, stored = _objects(self.served), _objects(self.stored)
        return Counter(
            name.kind.value for name in served.keys() | stored.keys() if served.get(name) != stored.get(name)
        )

    def decided(self, decision: Decision, at: datetime) -> Commit:
        """Return the commit that makes what was chosen hold everywhere; its revision is later than any before.

        Receipts go with the last known good state. Those of a store that is not believed may be for what it lost.
        """
        wanted, other = _objects(self.served), _objects(self.stored)
        if decision.keep is Keep.STORED:
            wanted, other = other, wanted
        entries = tuple(
            Entry(name, other.get(name), wanted.get(name), decision.actor, decision.reason)
            for name in sorted(wanted.keys() | other.keys())
            if wanted.get(name) != other.get(name)
        )
        kept = self.served.kept if decision.keep is Keep.SERVED else ()
        return Commit(max(self.served.revision, self.stored.revision) + 1, at, entries, kept, forgets=True)


def _objects(loaded: Loaded) -> dict[Ref, Declared]:
    return {ref(declared): declared for declared, _ in loaded.objects}
