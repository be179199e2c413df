"""Documents of a set, tried on a draft: what each would come to, what the set names no more, and what that would cost.

The same trial is the dry run of an apply, the beginning of a real one, and what a plan is made of. Nothing is
committed here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from xds.control.inbox import Outcome
from xds.control.planning import Writes, excerpt
from xds.control.ports import Receipt
from xds.model.declare import Change, Declaration, Delete, Put
from xds.model.draft import Draft
from xds.model.emptying import emptied
from xds.model.intent import Declared, Intent, Kind, Ref, ref
from xds.model.problems import FairleadError

ORDER: Final = (Kind.SERVICE, Kind.POLICY, Kind.INSTANCE, Kind.ROUTE, Kind.GATEWAY)
"""What needs another kind comes after it; in the opposite order they go."""
_PLACE: Final = {kind: at for at, kind in enumerate(ORDER)}


@dataclass(frozen=True, slots=True)
class Step:
    """One document, or one object to prune: what it is called (None when it cannot be read), what was, what becomes."""

    name: Ref | None
    change: Change | FairleadError
    before: Declared | None
    outcome: Outcome

    @property
    def word(self) -> str:
        """Return created, changed, unchanged, removed or refused."""
        if isinstance(self.outcome, FairleadError):
            return "refused"
        if isinstance(self.change, Delete):
            return "removed"
        return "created" if self.before is None else "unchanged" if self.outcome.declared == self.before else "changed"


@dataclass(frozen=True, slots=True)
class Trial:
    """Steps for the documents in their order, then for what is pruned. `cost` is what takes force, in words."""

    documents: tuple[Step, ...]
    pruned: tuple[Step, ...]
    writes: Writes
    cost: tuple[str, ...]

    @property
    def changes(self) -> list[tuple[int, Change]]:
        """Return what is to be declared, in order, each with the place of its step."""
        steps = enumerate((*self.documents, *self.pruned))
        found = [(at, step.change, step.name) for at, step in steps if not isinstance(step.change, FairleadError)]
        count = len(self.documents)
        ordered = sorted(found, key=lambda each: (each[0] >= count, each[0] if each[0] >= count else _place(each[2])))
        return [(at, change) for at, change, _ in ordered]

    def done(self, outcomes: Mapping[int, Outcome]) -> Trial:
        """Return the trial with what became of its changes when they were declared, by the place of the step."""
        steps = [
            Step(step.name, step.change, step.before, outcomes.get(at, step.outcome))
            for at, step in enumerate((*self.documents, *self.pruned))
        ]
        count = len(self.documents)
        return Trial(tuple(steps[:count]), tuple(steps[count:]), self.writes, self.cost)


def try_out(
    intent: Intent,
    documents: Sequence[Declared | FairleadError],
    ask: Callable[[Change], Declaration],
    prune: str | None = None,
) -> Trial:
    """Try documents on a draft, and with `prune` (an owner) the removal of what that owner declared and names no more.

    Nothing is pruned when a document is refused: what it would have been called may be what is to go.
    """
    draft = Draft(intent)
    steps: dict[int, Step] = {}
    for at in sorted(range(len(documents)), key=lambda at: _place_of(documents[at])):
        declared = documents[at]
        if isinstance(declared, FairleadError):
            steps[at] = Step(None, declared, None, declared)
        else:
            steps[at] = _step(draft, intent, ref(declared), Put(declared), ask)
    puts = dict(draft.writes)
    found = tuple(steps[at] for at in range(len(documents)))
    if prune is None or any(isinstance(step.outcome, FairleadError) for step in found):
        return Trial(found, (), puts, ())
    named = {step.name for step in found}
    stale = sorted(_unnamed(intent, prune, named), key=lambda name: (-_place(name), name.key))
    gone = tuple(_step(draft, intent, name, Delete(name), ask) for name in stale)
    return Trial(found, gone, dict(draft.writes), tuple(_cost(intent, prune, puts, named, stale)))


def _step(draft: Draft, intent: Intent, name: Ref, change: Change, ask: Callable[[Change], Declaration]) -> Step:
    before = intent.get(name)
    try:
        draft.declare(ask(change))
    except FairleadError as error:
        return Step(name, change, before, error)
    return Step(name, change, before, Receipt(name, draft.get(name), intent.revisions.get(name, 0)))


def _unnamed(intent: Intent, owner: str, named: set[Ref | None]) -> list[Ref]:
    tables = (intent.services, intent.policies.by_key, intent.instances, intent.routes, intent.gateways)
    owned = (ref(each) for table in tables for each in table.values() if each.owner == owner)
    return [name for name in owned if name not in named]


def _cost(intent: Intent, owner: str, puts: Writes, named: set[Ref | None], stale: Sequence[Ref]) -> list[str]:
    """Return what pruning would cost that nobody may mean: the whole set, or the last who serve somebody's users."""
    if not stale:
        return []
    cost = []
    if not any((each := intent.get(name)) is not None and each.owner == owner for name in named if name is not None):
        cost.append(f"all {len(stale)} objects of {owner} would be pruned")
    lost = {name.key for name in stale if name.kind is Kind.INSTANCE}
    after = excerpt(intent, {**puts, **dict.fromkeys(stale)})
    after.commit(puts, after.revision + 1)  # what comes in their place counts
    if left := [str(each) for each in emptied(after, lost)]:
        shown = ", ".join(left[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else "")
        cost.append(f"nobody would be left to serve {shown}")
    return cost


def _place_of(declared: Declared | FairleadError) -> int:
    return -1 if isinstance(declared, FairleadError) else _place(ref(declared))


def _place(name: Ref | None) -> int:
    return -1 if name is None else _PLACE[name.kind]
