"""`fairlead apply --prune`, `plan` and `diff` against a real control plane (M12, M72, C1, C3)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.feature.cli.conftest import Fairlead
from tests.harness.plane import Plane

WEB = """\
kind: service
name: web
labels: {tier: web}
---
kind: policy
name: strict
selector: tier=web
timeout: 5s
"""
ONE = """\
---
kind: instance
id: web-1
service: web
version: v1
address: 10.0.0.1
port: 80
labels: {team: shop}
"""
TWO = ONE.replace("web-1", "web-2").replace("10.0.0.1", "10.0.0.2")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(WEB + ONE + TWO)
    return path


def test_a_plan_says_what_apply_does_and_its_exit_code_tells_a_pipeline(fairlead: Fairlead, file: Path) -> None:
    told = fairlead("plan", "-f", str(file), "--set", "shop", exit_code=2).stdout
    assert "created policy default/strict" in told
    assert " ".join(next(line for line in told.splitlines() if "cds" in line).split()) == "added cds web/- default -"
    fairlead("apply", "-f", str(file), "--set", "shop")
    assert "no object differs" in fairlead("plan", "-f", str(file), "--set", "shop", "--prune").stderr
    file.write_text(WEB.replace("5s", "7s") + ONE)
    told = fairlead("plan", "-f", str(file), "--set", "shop", "--prune", exit_code=2).stdout
    assert "changed policy default/strict\n    /timeout: - 5s  + 7s\n" in told
    assert "removed instance web-2" in told
    assert "- 10.0.0.2:80" in told


def test_a_plan_of_a_compose_file_says_what_its_labels_would_do_and_points_at_the_line(
    fairlead: Fairlead, tmp_path: Path
) -> None:
    """Before anything of it runs; labels are declared in the agents' set."""
    file = tmp_path / "compose.yaml"
    labels = ["fairlead.service: cart", "fairlead.port: '8080'", "fairlead.route.all.host: cart.example.com"]
    file.write_text("services:\n  cart:\n    labels:\n" + "".join(f"      {label}\n" for label in labels))
    told = fairlead("plan", "-f", str(file), exit_code=2).stdout
    assert "created route default/cart.all" in told
    assert "created instance cart-192-0-2-1-8080" in told
    file.write_text(file.read_text().replace("8080", "80800"))
    assert f"{file}:5: error: '80800' is not" in fairlead("plan", "-f", str(file), exit_code=1).stderr


def test_what_the_files_name_no_more_is_pruned_and_never_by_accident_c3(
    fairlead: Fairlead, plane: Plane, file: Path
) -> None:
    fairlead("apply", "-f", str(file), "--set", "shop")
    assert "--prune needs --set" in fairlead("apply", "-f", str(file), "--prune", exit_code=2).stderr
    file.write_text(WEB + ONE)
    assert "removed" in fairlead("apply", "-f", str(file), "--set", "shop", "--prune").stdout
    file.write_text("# nothing is left\n")
    words = fairlead("apply", "-f", str(file), "--set", "shop", "--prune", exit_code=1).stderr
    assert "all 3 objects of file:shop would be pruned" in words
    assert [each["id"] for each in plane.get("instances")["items"]] == ["web-1"]
    fairlead("apply", "-f", str(file), "--set", "shop", "--prune", "--force")
    assert plane.get("services")["items"] == []


def test_a_file_with_a_mistake_changes_and_prunes_nothing_c1(fairlead: Fairlead, plane: Plane, file: Path) -> None:
    fairlead("apply", "-f", str(file), "--set", "shop")
    before = plane.get("instances")["revision"]
    for mistake in ("kind: [", "kind: service\nname: web\nname: api\n", "kind: service\nname: web\nretrys: 3\n"):
        file.write_text(WEB + "---\n" + mistake)
        fairlead("apply", "-f", str(file), "--set", "shop", "--prune", exit_code=2)
        assert str(file) in fairlead("plan", "-f", str(file), "--set", "shop", "--prune", exit_code=1).stderr
    assert plane.get("instances")["revision"] == before


def test_drift_is_shown_label_by_label_and_repaired_m12(fairlead: Fairlead, plane: Plane, file: Path) -> None:
    fairlead("apply", "-f", str(file), "--set", "shop")
    fairlead("diff", "-f", str(file), "--set", "shop")
    registered = {"service": "web", "version": "v1", "address": "10.0.0.1", "port": 80, "labels": {"team": "search"}}
    plane.put("instances/web-1", registered)
    plane.delete("policies/strict")
    told = fairlead("diff", "-f", str(file), "--set", "shop", exit_code=2).stdout
    assert "differs instance web-1\n    /labels/team: + search  - shop\n" in told
    assert "missing policy default/strict" in told
    found = json.loads(fairlead("diff", "-f", str(file), "--set", "shop", "-o", "json", exit_code=2).stdout)
    (drift,) = [each for each in found["objects"] if each["drift"] == "differs"]
    assert drift["fields"] == [{"field": "/labels/team", "declared": "shop", "actual": "search"}]
    assert [line.split()[-1] for line in fairlead("get", "instances").stdout.splitlines()] == ["DRIFT", "team", "-"]
    fairlead("apply", "-f", str(file), "--set", "shop")
    fairlead("diff", "-f", str(file), "--set", "shop")
