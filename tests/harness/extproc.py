"""The program `fairlead extproc`."""

from __future__ import annotations

from tests.harness.processes import Program, Programs
from tests.harness.waiting import wait_until


def run_extproc(programs: Programs, port: int) -> Program:
    """A `fairlead extproc` that serves."""
    program = programs.fairlead("extproc", "--listen", f"127.0.0.1:{port}", name="extproc")
    wait_until(lambda: "fairlead processes" in program.output(), 30, what="extproc serves")
    return program
