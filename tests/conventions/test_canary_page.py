"""docs/canary.md shows every step that a rollout can take, as the code takes it."""

from __future__ import annotations

import os
import re
from itertools import product

from tests.harness.repo import ROOT
from xds.model.analysis import Judgement, Verdict
from xds.model.names import ServiceKey
from xds.model.problems import Conflict
from xds.model.rollout import (
    STEPS,
    Abort,
    Acked,
    Doubted,
    Elapsed,
    Event,
    Failed,
    Pause,
    Phase,
    Promote,
    Resume,
    Rollout,
    SetWeight,
    Step,
    advance,
)

PAGE = ROOT / "docs" / "canary.md"
TABLE = re.compile(r"(<!-- every step[^\n]*-->\n\n).*?(\n<!-- end -->)", re.DOTALL)
BAD = Judgement(Verdict.FAIL, ())
EVENTS: dict[str, Event] = {
    "last ACK": Acked(),
    "pause over": Elapsed(),
    "judged bad": Failed(BAD),
    "doubted": Doubted(BAD),
    "`pause`": Pause(),
    "`resume`": Resume(),
    "`set-weight`": SetWeight(1000),
    "`promote`": Promote(),
    "`abort`": Abort(),
}


def _rollouts(phase: Phase) -> list[Rollout]:
    """Rollouts in `phase` with every kind of plan, at its beginning and at its end."""
    plans = ((), (Step(500, 1.0), Step(2500, 1.0)), (Step(500, None), Step(2500, None)))
    found = []
    for plan, step, auto, acked, manual in product(plans, (0, 1), (False, True), (False, True), (False, True)):
        found.append(
            Rollout(
                "web-v2-1", ServiceKey("default", "web"), "v2", "v1", plan, auto, phase,
                step=step if plan else -1, weight=plan[step].weight if plan else 0, acked=acked, manual=manual,
            )
        )  # fmt: skip
    return found


def _ways(phase: Phase, event: Event) -> str:
    """The phases that `event` can lead to from `phase`."""
    reached = set()
    for rollout in _rollouts(phase):
        try:
            reached.add(advance(rollout, event).phase)
        except Conflict:
            continue
    return " or ".join(f"`{name}`" for name in Phase if name in reached) or "-"


def _table() -> str:
    lines = [f"| in | {' | '.join(EVENTS)} |", "|---" * (len(EVENTS) + 1) + "|"]
    lines += [f"| `{phase}` | {' | '.join(_ways(phase, event) for event in EVENTS.values())} |" for phase in Phase]
    return "\n".join(lines) + "\n"


def test_the_table_of_steps_is_what_the_code_does() -> None:
    """Made anew with UPDATE_GOLDEN=1."""
    page = PAGE.read_text(encoding="utf-8")
    made = TABLE.sub(lambda found: found[1] + _table() + found[2], page)
    assert TABLE.search(page)
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(made, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == made


def test_every_legal_step_of_the_code_is_in_the_table() -> None:
    named = {type(event): event for event in EVENTS.values()}
    assert all(_ways(phase, named[kind]) != "-" for phase, kind in STEPS)
    assert {kind for _, kind in STEPS} == set(named)
