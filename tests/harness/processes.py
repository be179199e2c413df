"""Programs started by a test, which end with it: exactly those, by their own ids, never by name.

Each program's output goes to a file of its own, so that a failure can show it and a full pipe can block nobody.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from tests.harness import forks
from tests.harness.forks import Process

FAIRLEAD: Final = Path(sysconfig.get_path("scripts")) / "fairlead"
"""The installed command, for tests about starting it; the others start it by `Programs.fairlead`, which costs less."""
GRACE_S: Final = 10.0


class Program:
    """One running program and the file its output goes to."""

    def __init__(self, process: Process, log: Path, name: str) -> None:
        self._process = process
        self.log = log
        self.name = name

    @property
    def pid(self) -> int:
        """The process id, valid until the program was waited for."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def output(self) -> str:
        """All it has written so far, standard output and standard error together."""
        return self.log.read_text(errors="replace")

    def wait(self, timeout: float = GRACE_S) -> int:
        """The exit code; AssertionError with the end of the output if it does not end in `timeout` seconds."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            tail = self.output()[-2000:]
            message = f"{self.name} still runs after {timeout:g} s:\n{tail}"
            raise AssertionError(message) from None

    def send(self, number: signal.Signals) -> None:
        """A signal to this process only; none if it has ended."""
        if self.running:
            self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL and wait: the crash a test asks for."""
        self._process.kill()
        self._process.wait(GRACE_S)

    def stop(self, timeout: float = GRACE_S) -> int:
        """SIGTERM, then SIGKILL if it has not ended in `timeout` seconds; returns the exit code."""
        if self.running:
            self._process.send_signal(signal.SIGCONT)  # a stopped process would not see SIGTERM
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self._process.wait(timeout)
            self._process.kill()
        return self._process.wait(GRACE_S)


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
        words, more = [str(part) for part in command], env or {}

        def started(output: IO[bytes]) -> Process:
            return subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **more},
                cwd=cwd,
            )

        return self._keep(started, name or Path(words[0]).name)

    def fairlead(self, *words: str | Path, name: str = "fairlead", env: Mapping[str, str] | None = None) -> Program:
        """Start the command `fairlead`: forked from a process that has imported it, where that makes no difference."""
        server = forks.server()
        if server is None or not server.suits(env or {}):
            return self.start([FAIRLEAD, *words], name=name, env=env)
        command = [str(part) for part in (FAIRLEAD, *words)]
        return self._keep(lambda output: server.start(command, output, env or {}), name)

    def _keep(self, start: Callable[[IO[bytes]], Process], name: str) -> Program:
        log = self._logs / f"{len(self._started):02}-{name}.log"
        with log.open("wb") as output:
            program = Program(start(output), log, name)
        self._started.append(program)
        return program

    def stop_all(self) -> None:
        """End whatever still runs, the last started first. Idempotent."""
        while self._started:
            self._started.pop().stop()
