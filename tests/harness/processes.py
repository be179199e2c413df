"""Programs started by a test, which end with it: exactly those, by their Popen objects, never by name.

Each program's output goes to a file of its own, so that a failure can show it and a full pipe can block nobody.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

GRACE_S: Final = 10.0


class Program:
    """One running program and the file its output goes to."""

    def __init__(self, popen: subprocess.Popen[bytes], log: Path, name: str) -> None:
        self.popen = popen
        self.log = log
        self.name = name

    @property
    def pid(self) -> int:
        """The process id, valid until the program was waited for."""
        return self.popen.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.popen.poll() is None

    def output(self) -> str:
        """All it has written so far, standard output and standard error together."""
        return self.log.read_text(errors="replace")

    def wait(self, timeout: float = GRACE_S) -> int:
        """The exit code; AssertionError with the end of the output if it does not end in `timeout` seconds."""
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            tail = self.output()[-2000:]
            message = f"{self.name} still runs after {timeout:g} s:\n{tail}"
            raise AssertionError(message) from None

    def send(self, number: signal.Signals) -> None:
        """A signal to this process only; none if it has ended."""
        if self.running:
            self.popen.send_signal(number)

    def kill(self) -> None:
        """SIGKILL and wait: the crash a test asks for."""
        self.popen.kill()
        self.popen.wait(GRACE_S)

    def stop(self, timeout: float = GRACE_S) -> int:
        """SIGTERM, then SIGKILL if it has not ended in `timeout` seconds; returns the exit code."""
        if self.running:
            self.popen.send_signal(signal.SIGCONT)  # a stopped process would not see SIGTERM
            self.popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self.popen.wait(timeout)
            self.popen.kill()
        return self.popen.wait(GRACE_S)


class Programs:
    """Starts programs and ends all of them, the last one first."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._started: list[Program] = []

    def start(
        self,
        command: Sequence[str | Path],
        *,
        name: str = "",
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Program:
        """Start `command`; `env` is added to this process's environment."""
        name = name or Path(command[0]).name
        log = self._logs / f"{len(self._started):02}-{name}.log"
        with log.open("wb") as sink:
            popen = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
            )
        program = Program(popen, log, name)
        self._started.append(program)
        return program

    def stop_all(self) -> None:
        """End whatever still runs, the last started first. Idempotent."""
        while self._started:
            self._started.pop().stop()
