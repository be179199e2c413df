"""The breaker's vectors are what their program writes, and between them they take every way of the filter."""

from __future__ import annotations

import json

from filters.make_breaker_vectors import SCENARIOS, text
from tests.harness.repo import ROOT

FOLDER = ROOT / "filters/vectors/breaker"


def test_each_file_is_what_its_scenario_writes() -> None:
    written = {f"{made.name}.json": text(made) for made in (make() for make in SCENARIOS)}
    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()} == written


def test_every_action_and_every_state_is_expected_somewhere() -> None:
    steps = [step["expect"] for path in FOLDER.iterdir() for step in json.loads(path.read_text())["steps"]]
    assert {step["action"] for step in steps if "action" in step} == {"go", "probe", "remap", "reject"}
    states = {state for step in steps for state in step["states"].values()}
    assert states == {"closed", "open", "probing", "ramp", "forced_open", "forced_closed"}
