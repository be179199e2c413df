"""`fairlead journal`, `diff`, `replay`, `backup`, `get alarms`, against one real control plane (M07)."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.feature.cli.conftest import Fairlead
from tests.harness.plane import Plane


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
