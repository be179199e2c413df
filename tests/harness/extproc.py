"""The program `fairlead extproc`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.harness.processes import Program, Programs
from tests.harness.waiting import wait_until

FAIRLEAD = Path(sys.executable).with_name("fairlead")


def run_extproc(programs: Programs, port: int) -> Program:
    """A `fairlead extproc` that serves."""
    program = programs.start([FAIRLEAD, "extproc", "--listen", f"127.0.0.1:{port}"], name="extproc")
    wait_until(lambda: "fairlead processes" in program.output(), 30, what="extproc serves")
    return program
