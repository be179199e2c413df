"""What one node was sent of one type, and what it said to it.

After a NACK nobody knows what the node holds of the refused response (Envoy applies the valid resources of a refused
CDS or LDS), so the refused contents count as sent, not as acknowledged, until an answer settles them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from .resource import Held


@dataclass(frozen=True, slots=True)
class Node:
    """One client as it introduced itself. `metadata` is its node metadata as JSON values, `peer` its address."""

    id: str
    cluster: str = ""
    version: str = ""
    metadata: Mapping[str, object] = field(default_factory=dict, compare=False)
    peer: str = ""
    features: frozenset[str] = frozenset()
    """What the client says it can do (client_features), such as `xds.config.supports-resource-ttl`."""


@dataclass(frozen=True, slots=True)
class Nack:
    """A refusal in the node's own words. `at` in monotonic seconds; `versions` is what the refused response carried."""

    at: float
    message: str
    versions: Mapping[str, Held]


class Progress(Protocol):
    """What a stream has still to do for one type, as it stands; the stream goes on working on it."""

    @property
    def owed(self) -> Collection[str]:
        """The names whose present content the node has not been sent."""
        ...

    @property
    def parked(self) -> Collection[str]:
        """The names whose present content the node refused, and is not sent again."""
        ...

    @property
    def held_back(self) -> Collection[str]:
        """The names kept from the node because it lacks a cluster that they refer to."""
        ...


@dataclass(slots=True)
class Tally:
    """What one type of one node came to so far: responses, their bytes, refusals; how long the last answer took."""

    pushes: int = 0
    bytes: int = 0
    nacks: int = 0
    answered_in: float | None = None


class TypeState:
    """One type of one node. The roster writes it; everybody else reads, and keeps nothing across an await.

    `wildcard`: the node asks for everything its group sees. `names`: what it asks for by name. `acked`: the contents it
    confirmed or proved to hold. `nack`: its last refusal that no later answer has settled. `pending`: when the response
    it has not answered was sent (monotonic seconds), None if none. `refused`: for each name in a refused response, that
    refusal, until an answer settles it. `progress`: what its stream still has to do, None once it closed. `tally`:
    counts since the stream opened.
    """

    __slots__ = (
        "_removed",
        "_unanswered",
        "acked",
        "nack",
        "names",
        "pending",
        "progress",
        "refused",
        "tally",
        "wildcard",
    )

    def __init__(self) -> None:
        self.progress: Progress | None = None
        self.tally = Tally()
        self.wildcard = False
        self.names: frozenset[str] = frozenset()
        self.acked: dict[str, Held] = {}
        self.nack: Nack | None = None
        self.pending: float | None = None
        self.refused: dict[str, Nack] = {}
        self._unanswered: Mapping[str, Held] = {}
        self._removed: frozenset[str] = frozenset()

    @property
    def sent(self) -> Mapping[str, Held]:
        """The last content sent (or proved held) per name, answered or not. Costs a copy while one is unanswered."""
        if not (self._unanswered or self._removed or self.refused):
            return self.acked
        refused = {name: nack.versions[name] for name, nack in self.refused.items()}
        merged = {**self.acked, **refused, **self._unanswered}
        for name in self._removed:
            merged.pop(name, None)
        return merged

    def on_subscribed(self, names: Iterable[str] | None) -> None:
        """Take over what the node asks for now; contents under names it gave up are forgotten."""
        self.wildcard = names is None
        before = self.names
        self.names = names if isinstance(names, frozenset) else frozenset(names or ())
        if not self.wildcard and (before - self.names or len(self.acked) > len(self.names)):
            self.acked = {name: held for name, held in self.acked.items() if name in self.names}
            self._settle(set(self.refused) - self.names)

    def on_sent(self, contents: Mapping[str, Held], removed: Iterable[str], now: float, size: int = 0) -> None:
        """Note a response of `size` bytes that left."""
        self._unanswered, self._removed, self.pending = contents, frozenset(removed), now
        self.tally.pushes += 1
        self.tally.bytes += size

    def on_acked(self, now: float) -> None:
        """Note that the node confirmed the response it had not answered."""
        self._answered(now)
        if not self.acked and (self.wildcard or self._unanswered.keys() <= self.names):
            self.acked = dict(self._unanswered)  # the first answer, which may be large
        else:
            for name, held in self._unanswered.items():
                if self.wildcard or name in self.names:  # given up meanwhile: not held any more
                    self.acked[name] = held
        for name in self._removed:
            self.acked.pop(name, None)
        if self.refused or self.nack is not None:
            self._settle({*self._unanswered, *self._removed})
        self._unanswered, self._removed, self.pending = {}, frozenset(), None

    def on_nacked(self, message: str, now: float) -> None:
        """Note that the node refused the response it had not answered.

        A response that says "nothing yet" holds nothing that could be refused: Envoy's guard against losing its last
        cluster refuses the first answer of an empty environment, and that is no news.
        """
        self._answered(now)
        if not self._unanswered and not self._removed:
            self.pending = None
            return
        self.tally.nacks += 1
        self.nack = Nack(now, message, dict(self._unanswered))
        self.refused.update(dict.fromkeys(self._unanswered, self.nack))
        self._unanswered, self._removed, self.pending = {}, frozenset(), None

    def on_held(self, contents: Mapping[str, Held]) -> None:
        """Note what a reconnected node proved to hold: as good as acknowledged."""
        self.acked.update(contents)

    def _answered(self, now: float) -> None:
        if self.pending is not None:
            self.tally.answered_in = now - self.pending

    def _settle(self, names: set[str]) -> None:
        for name in names:
            self.refused.pop(name, None)
        if self.nack is not None and not any(name in self.refused for name in self.nack.versions):
            self.nack = max(self.refused.values(), key=lambda nack: nack.at, default=None)
