"""What one node was sent of one type, and what it said to it.

After a NACK nobody knows what the node holds of the refused response (Envoy applies the valid resources of a refused
CDS or LDS), so the refused contents count as sent, not as acknowledged, until an answer settles them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .resource import Held


@dataclass(frozen=True, slots=True)
class Node:
    """One client as it introduced itself. `metadata` is its node metadata as JSON values, `peer` its address."""

    id: str
    cluster: str = ""
    version: str = ""
    metadata: Mapping[str, object] = field(default_factory=dict, compare=False)
    peer: str = ""


@dataclass(frozen=True, slots=True)
class Nack:
    """A refusal in the node's own words. `at` in monotonic seconds; `versions` is what the refused response carried."""

    at: float
    message: str
    versions: Mapping[str, Held]


class TypeState:
    """One type of one node. The roster writes it; everybody else reads, and keeps nothing across an await.

    `wildcard`: the node asks for everything its group sees. `names`: what it asks for by name. `acked`: the contents it
    confirmed or proved to hold. `nack`: its last refusal that no later answer has settled. `pending`: when the response
    it has not answered was sent (monotonic seconds), None if none.
    """

    __slots__ = ("_removed", "_unanswered", "_unsettled", "acked", "nack", "names", "pending", "wildcard")

    def __init__(self) -> None:
        self.wildcard = False
        self.names: frozenset[str] = frozenset()
        self.acked: dict[str, Held] = {}
        self.nack: Nack | None = None
        self.pending: float | None = None
        self._unanswered: Mapping[str, Held] = {}
        self._removed: frozenset[str] = frozenset()
        self._unsettled: dict[str, Held] = {}

    @property
    def sent(self) -> Mapping[str, Held]:
        """The last content sent (or proved held) per name, answered or not. Costs a copy while one is unanswered."""
        if not (self._unanswered or self._removed or self._unsettled):
            return self.acked
        merged = {**self.acked, **self._unsettled, **self._unanswered}
        for name in self._removed:
            merged.pop(name, None)
        return merged

    def on_subscribed(self, names: Iterable[str] | None) -> None:
        """Take over what the node asks for now; contents under names it gave up are forgotten."""
        self.wildcard = names is None
        before, self.names = self.names, frozenset(names or ())
        if not self.wildcard and (before - self.names or len(self.acked) > len(self.names)):
            self.acked = {name: held for name, held in self.acked.items() if name in self.names}
            self._settle(set(self._unsettled) - self.names)

    def on_sent(self, contents: Mapping[str, Held], removed: Iterable[str], now: float) -> None:
        """Note a response that left."""
        self._unanswered, self._removed, self.pending = contents, frozenset(removed), now

    def on_acked(self) -> None:
        """Note that the node confirmed the response it had not answered."""
        for name, held in self._unanswered.items():
            if self.wildcard or name in self.names:  # given up meanwhile: not held any more
                self.acked[name] = held
        for name in self._removed:
            self.acked.pop(name, None)
        self._settle({*self._unanswered, *self._removed})
        self._unanswered, self._removed, self.pending = {}, frozenset(), None

    def on_nacked(self, message: str, now: float) -> None:
        """Note that the node refused the response it had not answered.

        A response that says "nothing yet" holds nothing that could be refused: Envoy's guard against losing its last
        cluster refuses the first answer of an empty environment, and that is no news.
        """
        if not self._unanswered and not self._removed:
            self.pending = None
            return
        self.nack = Nack(now, message, dict(self._unanswered))
        self._unsettled.update(self._unanswered)
        self._unanswered, self._removed, self.pending = {}, frozenset(), None

    def on_held(self, contents: Mapping[str, Held]) -> None:
        """Note what a reconnected node proved to hold: as good as acknowledged."""
        self.acked.update(contents)

    def _settle(self, names: set[str]) -> None:
        for name in names:
            self._unsettled.pop(name, None)
        if self.nack is not None and not any(name in self._unsettled for name in self.nack.versions):
            self.nack = None
