"""How waiting for a rollout ends."""

from __future__ import annotations

import pytest

from xds.cli.exits import Exit
from xds.cli.verdict import Wanted, judged, line, verdict


def rollout(phase: str, *, state: str = "", gate: str = "done", weight: int = 25) -> dict[str, object]:
    return {
        "id": "web-v2-1", "version": "v2", "stable": "v1", "phase": phase, "state": state or phase, "weight": weight,
        "reason": "edge-1 refused it", "step": 1, "plan": [{"weight": 5}, {"weight": 25}],
        "gate": {"state": gate, "acked": 2, "live": 3, "nodes": []},
    }  # fmt: skip


def ends(document: dict[str, object], wanted: Wanted, blocked_for: float = 0.0) -> Exit | None:
    found = verdict(document, wanted, blocked_for=blocked_for, patience=10.0)
    return found.exit if found else None


@pytest.mark.parametrize(
    ("phase", "gate", "wanted", "exit_code"),
    [
        ("shifting", "waiting", Wanted.LIVE, None),
        ("holding", "done", Wanted.LIVE, Exit.DONE),
        ("paused", "done", Wanted.LIVE, Exit.DONE),
        ("holding", "done", Wanted.PLAN, None),
        ("paused", "waiting", Wanted.PLAN, None),
        ("paused", "done", Wanted.PLAN, Exit.DONE),
        ("succeeded", "done", Wanted.PLAN, Exit.DONE),
        ("promoting", "done", Wanted.PROMOTED, None),
        ("succeeded", "done", Wanted.PROMOTED, Exit.DONE),
        ("paused", "done", Wanted.PROMOTED, None),
        ("aborting", "waiting", Wanted.ABORTED, None),
        ("aborted", "done", Wanted.ABORTED, Exit.DONE),
        ("succeeded", "done", Wanted.ABORTED, Exit.BLOCKED),
        ("aborted", "done", Wanted.PLAN, Exit.BLOCKED),
        ("aborted", "done", Wanted.OVER, Exit.BLOCKED),
        ("succeeded", "done", Wanted.OVER, Exit.DONE),
        ("paused", "done", Wanted.OVER, Exit.BLOCKED),
    ],
)
def test_it_ends_where_the_caller_wanted_to_be_or_can_no_longer_get_to(
    phase: str, gate: str, wanted: Wanted, exit_code: Exit | None
) -> None:
    assert ends(rollout(phase, gate=gate), wanted) is exit_code


def test_a_short_block_is_an_envoy_coming_back_and_a_long_one_is_an_answer() -> None:
    blocked = rollout("shifting", state="blocked", gate="blocked")
    assert ends(blocked, Wanted.PLAN, blocked_for=9.9) is None
    found = verdict(blocked, Wanted.PLAN, blocked_for=10.0, patience=10.0)
    assert found is not None
    assert found.exit is Exit.BLOCKED
    assert "edge-1 refused it" in found.words


def test_an_end_is_an_end_even_when_it_was_blocked_before() -> None:
    assert ends(rollout("aborted"), Wanted.ABORTED, blocked_for=60.0) is Exit.DONE


def test_one_line_says_where_it_stands() -> None:
    assert line(rollout("shifting", gate="waiting")) == (
        "web-v2-1 · step 2 of 2 · v2 25 % · shifting · acknowledged by 2 of 3 Envoys · edge-1 refused it"
    )


def test_a_gate_that_waits_says_what_for() -> None:
    """After a restart it waits for Envoys to come back although those that are there have acknowledged."""
    waiting = rollout("shifting", gate="waiting") | {
        "reason": "",
        "gate": {"state": "waiting", "acked": 1, "live": 1, "reason": "Envoys may still be on their way back"},
    }
    assert line(waiting).endswith("acknowledged by 1 of 1 Envoys · Envoys may still be on their way back")


def test_a_version_that_was_taken_back_is_said_with_the_reason() -> None:
    document = rollout("aborted") | {"reason": "taken back: 15 of 30 requests failed"}
    found = verdict(document, Wanted.PLAN, blocked_for=0.0, patience=10.0)
    assert found is not None
    assert found.words == "web-v2-1 aborted: every user is on v1, taken back: 15 of 30 requests failed"


def test_each_criterion_is_a_line() -> None:
    findings = [{"verdict": "pass", "words": "204 requests"}, {"verdict": "no data", "words": "no times"}]
    assert judged({"judgement": {"findings": findings}}) == ["pass      204 requests", "no data   no times"]
    assert judged({"judgement": None}) == []
