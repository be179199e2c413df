"""When a command that waits for a rollout may stop, and with which exit code. Pure: documents and seconds in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from xds.cli.exits import Exit

Rollout = Mapping[str, object]


class Wanted(StrEnum):
    """What the caller waits for.

    LIVE the present weight, acknowledged · PLAN the end of the plan, or a step that waits for somebody · PROMOTED,
    ABORTED that end · OVER any end.
    """

    LIVE = "live"
    PLAN = "plan"
    PROMOTED = "promoted"
    ABORTED = "aborted"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why the waiting ends."""

    exit: Exit
    words: str


def verdict(rollout: Rollout, wanted: Wanted, *, blocked_for: float, patience: float) -> Verdict | None:
    """Return how it ended, or None while it may still get there.

    `blocked_for` is how many seconds the rollout has been blocked without a break; up to `patience` that is taken for
    an Envoy that is just coming back.
    """
    phase, state = rollout.get("phase"), rollout.get("state")
    name, version = rollout.get("id"), rollout.get("version")
    if phase == "aborted":
        done = wanted is Wanted.ABORTED
        words = f"{name} aborted: every user is on {rollout.get('stable')}"
        if (reason := str(rollout.get("reason") or "")).startswith("taken back"):
            words += f", {reason}"
        return Verdict(Exit.DONE if done else Exit.BLOCKED, words)
    if phase == "succeeded":
        if wanted is Wanted.ABORTED:
            return Verdict(Exit.BLOCKED, f"{name} had already ended: {version} is stable")
        return Verdict(Exit.DONE, f"{name} done: {version} is stable")
    if state == "blocked":
        if blocked_for < patience:
            return None
        return Verdict(Exit.BLOCKED, f"{name} is blocked: {rollout.get('reason') or 'no reason given'}")
    if wanted is Wanted.LIVE and phase in {"shifting", "holding", "paused"} and is_acked(rollout):
        return Verdict(Exit.DONE, f"{version} has {rollout.get('weight')} %, acknowledged by {acked(rollout)}")
    if wanted in {Wanted.PLAN, Wanted.OVER} and phase == "paused" and is_acked(rollout):
        if wanted is Wanted.OVER:
            return Verdict(Exit.BLOCKED, f"{name} waits at {rollout.get('weight')} %: {rollout.get('reason')}")
        return Verdict(Exit.DONE, f"{version} has {rollout.get('weight')} %, {acked(rollout)}: {rollout.get('reason')}")
    return None


def is_acked(rollout: Rollout) -> bool:
    """Say whether every live Envoy has the present weight."""
    return _gate(rollout).get("state") == "done"


def acked(rollout: Rollout) -> str:
    """Return `2 of 3 Envoys`."""
    gate = _gate(rollout)
    return f"{gate.get('acked', 0)} of {gate.get('live', 0)} Envoys"


def line(rollout: Rollout) -> str:
    """Return where a rollout stands in one line."""
    words = [str(rollout.get("id")), f"{rollout.get('version')} {rollout.get('weight')} %", str(rollout.get("state")),
             f"acknowledged by {acked(rollout)}"]  # fmt: skip
    plan = cast("list[object]", rollout.get("plan") or [])
    if plan:
        words.insert(1, f"step {cast('int', rollout.get('step')) + 1} of {len(plan)}")
    if reason := rollout.get("reason") or _gate(rollout).get("reason"):
        words.append(str(reason))
    return " · ".join(words)


def judged(rollout: Rollout) -> list[str]:
    """Return how it is judged, criterion by criterion, in a line each."""
    judgement = cast("Mapping[str, object]", rollout.get("judgement") or {})
    findings = cast("list[Mapping[str, object]]", judgement.get("findings") or [])
    return [f"{each.get('verdict')!s:9} {each.get('words')}" for each in findings]


def _gate(rollout: Rollout) -> Mapping[str, object]:
    return cast("Mapping[str, object]", rollout.get("gate") or {})
