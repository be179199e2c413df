"""What the demo starts ends with it, and says why when it ends by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.harness.processes import Programs as Started
from tests.harness.waiting import until, wait_until
from xds.cli.demo.programs import Ended, Programs, free_ports

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
PARENT = """
import asyncio, pathlib, sys
from xds.cli.demo.programs import Programs

async def main():
    programs = Programs(pathlib.Path(sys.argv[1]))
    program = await programs.start("child", [sys.executable, "-c", "import time; time.sleep(60)"])
    print(f"child {program.pid}.", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.fixture
def ours(tmp_path: Path) -> Programs:
    """Programs that log into a folder of this test."""
    return Programs(tmp_path)


async def test_all_programs_end_together_with_whatever_they_started(ours: Programs) -> None:
    nested = f"import subprocess, time; print(subprocess.Popen({SLEEPER!r}).pid, flush=True); time.sleep(60)"
    program = await ours.start("nested", [sys.executable, "-c", nested])
    await until(lambda: program.last_words().splitlines(), what="the child's child")
    grandchild = int(program.last_words().split()[0])
    await ours.stop_all()
    assert program.process.returncode == -signal.SIGTERM
    await until(lambda: not is_running(grandchild), what="the child's child has ended")


async def test_a_program_that_ends_by_itself_is_told_with_its_last_words(ours: Programs) -> None:
    await ours.start("brief", [sys.executable, "-c", "raise SystemExit('no port left')"])
    async with asyncio.timeout(10):
        with pytest.raises(Ended, match=r"brief ended with code 1;[^\0]*brief\.log:\nno port left"):
            await ours.watch()


async def test_a_program_that_was_stopped_on_purpose_alarms_nobody(ours: Programs) -> None:
    program = await ours.start("sleeper", SLEEPER)
    await program.stop()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await ours.watch()
    await ours.stop_all()


async def test_settings_for_another_control_plane_do_not_reach_the_demo(
    ours: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIRLEAD_TOKEN", "of-another-one")
    program = await ours.start("env", [sys.executable, "-c", "import os; print(sorted(os.environ))"])
    await program.process.wait()
    assert "FAIRLEAD" not in program.last_words()
    await ours.stop_all()


def test_programs_end_even_when_the_demo_is_killed(programs: Started, tmp_path: Path) -> None:
    """On Linux the kernel sees to it (PR_SET_PDEATHSIG)."""
    parent = programs.start([sys.executable, "-c", PARENT, tmp_path], name="parent")
    wait_until(lambda: "." in parent.output(), what="the child runs")
    child = int(parent.output().strip(" child.\n"))
    assert is_running(child)
    parent.kill()
    wait_until(lambda: not is_running(child), what="the child has ended")


def test_free_ports_are_different_and_can_be_bound() -> None:
    ports = free_ports(8)
    assert len(set(ports)) == 8
    for port in ports:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
