"""The README's five minutes, line by line, as a new user would: its shell blocks are run as they stand.

Only the ports are moved out of the way, so that a control plane that already runs on this machine is left alone.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.repo import ROOT

SECTION = re.compile(r"## First canary by hand, in five minutes\n(.*?)\n## ", re.DOTALL)
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)


def story(ports: dict[str, int]) -> str:
    """Return the section's commands as one script, with other ports."""
    section = SECTION.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert section is not None
    script = "\n".join(BLOCK.findall(section[1]))
    script = script.replace(
        "fairlead serve ", f"fairlead serve --api 127.0.0.1:{ports['15080']} --ads 127.0.0.1:{ports['15010']} "
    )
    script = script.replace(
        "fairlead envoy ", f"fairlead envoy --ads 127.0.0.1:{ports['15010']} --admin 127.0.0.1:{ports['15000']} "
    )
    for number in ("15080", "8080", "9001", "9002"):
        script = re.sub(rf"\b{number}\b", str(ports[number]), script)
    return script


@pytest.mark.envoy
@pytest.mark.timeout(180)
def test_the_five_minutes_work_as_they_are_written(free_port: Callable[[], int], tmp_path: Path) -> None:
    ports = {number: free_port() for number in ("15080", "15010", "15000", "8080", "9001", "9002")}
    script = tmp_path / "story.sh"
    script.write_text("set -euo pipefail\ntrap 'kill $(jobs -p); wait' EXIT\n" + story(ports), encoding="utf-8")
    env = {**os.environ, "FAIRLEAD_SERVER": f"http://127.0.0.1:{ports['15080']}", "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        ["bash", str(script)], cwd=ROOT, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=150,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    shares = {
        found[2]: int(found[1]) for found in re.finditer(r"^ +(\d+) hello from (v[12])$", done.stdout, re.MULTILINE)
    }
    assert sum(shares.values()) == 100, done.stdout
    assert 30 <= shares["v2"] <= 70, done.stdout
    assert "1 of 1 Envoys" in done.stdout
    assert done.stdout.count("hello from v2\n") >= 2, done.stdout
    assert '"weight":12.5' in done.stdout, done.stdout
