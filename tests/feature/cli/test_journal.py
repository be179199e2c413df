"""`fairlead journal`, `diff`, `replay`, `backup`, `get alarms`, against one real control plane (M07)."""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path

from tests.feature.cli.conftest import Fairlead
from tests.harness.plane import Plane


def test_a_moment_is_given_back_with_its_policies_and_the_overlays_that_stood_as_commands(
    fairlead: Fairlead, plane: Plane, tmp_path: Path
) -> None:
    """Nobody applies an overlay: it has an owner and an end, so it is said again by whoever wants it again."""
    plane.put("instances/web-1", {"service": "web", "address": "10.0.0.1", "port": 8080, "version": "v1"})
    plane.put("services/web", {"allow_from": []})
    policy = {"selector": "tier=web", "timeout": "5s", "retry": {"attempts": 0}, "allow_from": []}
    policy |= {"breaker": {"errors": 30}, "mirror": {"subset": "v2", "share": 10}}
    before = plane.put("policies/strict", policy)
    fairlead("weight", "web-1", "--to", "20", "--for", "1h", "--reason", "it's slow", "--id", "slow")
    time.sleep(0.01)  # the journal tells milliseconds apart
    then = json.loads(fairlead("journal", "-o", "json").stdout.splitlines()[-1])["at"]
    time.sleep(0.01)
    fairlead("undo", "slow")
    plane.delete("policies/strict")
    plane.put("services/web", {})

    out = tmp_path / "before.yaml"
    fairlead("replay", "--at", then, "--out", str(out))
    fairlead("apply", "-f", str(out))
    after = plane.get("policies/strict")
    assert {**after, "owner": "", "revision": 0} == {**before, "owner": "", "revision": 0}
    assert plane.get("services/web")["allow_from"] == [], "nobody is not everybody"
    (line,) = (line for line in out.read_text().splitlines() if "fairlead weight" in line)
    fairlead(*shlex.split(line.removeprefix("# fairlead"), comments=True))
    (again,) = plane.get("overlays")["items"]
    assert (again["id"], again["weight"], again["selector"], again["reason"]) == ("slow", 20, "id=web-1", "it's slow")


def test_what_changed_is_told_compared_given_back_and_backed_up(
    fairlead: Fairlead, plane: Plane, tmp_path: Path
) -> None:
    plane.put("instances/web-1", {"service": "web", "address": "10.0.0.1", "port": 8080, "version": "v1"})
    time.sleep(0.01)  # the journal tells milliseconds apart
    then = json.loads(fairlead("journal", "-o", "json").stdout.splitlines()[-1])["at"]
    time.sleep(0.01)
    plane.put("services/web", {"timeout": "5s"})
    plane.delete("instances/web-1")

    lines = fairlead("journal", "--since", "10m", "--service", "web").stdout.splitlines()
    assert any("service default/web" in line and "timeout - → 5.0" in line for line in lines), lines
    assert "removed  by api:anonymous" in lines[-1]
    assert fairlead("journal", "--until", "10m").stdout == ""

    found = fairlead("diff", "--at", then, "--envoy").stdout
    assert "instance web-1: removed" in found
    assert "envoy eds default web/v1: " in found
    assert any(line.startswith("  -") and "10.0.0.1" in line for line in found.splitlines()), found

    out = tmp_path / "before.yaml"
    fairlead("replay", "--at", then, "--out", str(out))
    fairlead("apply", "-f", str(out))
    assert plane.get("instances/web-1")["version"] == "v1"
    assert plane.get("services/web")["timeout"] != "5s"

    copy = tmp_path / "backup.db"
    told = json.loads(fairlead("backup", str(copy), "--data-dir", str(plane.folder), "-o", "json").stdout)
    assert told["objects"] == 2
    refused = fairlead("restore", str(copy), "--data-dir", str(plane.folder), exit_code=1)
    assert "held by another control plane" in refused.stderr
    assert "nothing is held" in fairlead("hold", "show").stdout
    assert "no alarms" in fairlead("get", "alarms").stderr
