"""Declarations: what callers ask for, as values. The rules that decide whether they get it are in `draft.py`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from xds.model.analysis import Analysis
from xds.model.breaker import Forced
from xds.model.intent import Declared, Kind, Ref, ref
from xds.model.names import ServiceKey
from xds.model.preview import Preview
from xds.model.rollout import Event, Rollout, Step


class Put(NamedTuple):
    """Create or replace one declared object (any kind but a rollout)."""

    declared: Declared


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove one declared object by name; an `epoch` and `seq` speak for one incarnation of an instance only."""

    name: Ref
    epoch: int = 0
    seq: int = 0


@dataclass(frozen=True, slots=True)
class StartRollout:
    """Begin to move a service's users to `version`, along `plan`; `preview` shows it to some beside that.

    `owner` is whose the rollout is, "" for whoever asks.
    """

    service: ServiceKey
    version: str
    plan: tuple[Step, ...] = ()
    auto_promote: bool = False
    preview: Preview | None = None
    analysis: Analysis | None = None
    owner: str = ""

    def rollout(self, rollout_id: str, stable: str, owner: str) -> Rollout:
        """Return the rollout as it begins; InvalidInput for one that cannot be."""
        begun = Rollout.start(rollout_id, self.service, self.version, stable, self.plan)
        asked = replace(begun, auto_promote=self.auto_promote, preview=self.preview, analysis=self.analysis)
        return replace(asked, owner=self.owner or owner)


@dataclass(frozen=True, slots=True)
class StepRollout:
    """Tell a rollout what happened: an operator's word, or an observation (`Acked`, `Elapsed`)."""

    rollout: str
    event: Event


@dataclass(frozen=True, slots=True)
class ForceBreaker:
    """Hold the breaker of one subset at a state, or (None) give it back to its rule."""

    service: ServiceKey
    subset: str
    forced: Forced | None = None


Change = Put | Delete | StartRollout | StepRollout | ForceBreaker


def subject(change: Change) -> Ref:
    """Return the name of the object that a change is about."""
    match change:
        case Put():
            return ref(change.declared)
        case Delete():
            return change.name
        case StepRollout():
            return Ref(Kind.ROLLOUT, change.rollout)
        case StartRollout() | ForceBreaker():
            return Ref(Kind.SERVICE, str(change.service))


class Declaration(NamedTuple):
    """One change, who asks for it and why.

    `if_match` is the revision that the caller saw (0: the object must not exist); `idempotency` a caller's key
    under which the answer is kept, `fingerprint` a digest of what was asked under that key. An `operator` may touch
    what others own. `absence` says that nothing speaks for a removal but silence (an expired lease, an emptied list, a
    lost source); without it a removal is evidence. `force` does what would leave users without anybody to serve them.
    """

    change: Change
    actor: str
    reason: str = ""
    if_match: int | None = None
    idempotency: str | None = None
    fingerprint: str = ""
    operator: bool = False
    absence: bool = False
    force: bool = False
