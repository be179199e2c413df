"""A server and a client as processes on cores of their own: started, told what to do, listened to, measured, ended.

What a process costs is read from the kernel, not from the process: no peer has to count itself, and none can differ.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, CLIENT_CORE = 0, 1  # places in CORES
PATIENCE = 180.0
"""Seconds after which whatever is waited for will not come any more."""


def stand_aside() -> None:
    """Keep this process off the server's core. Ends the program, in words, where there is no second one."""
    if len(CORES) < 2:
        raise SystemExit("fanout: server and client need a core each, and this process may use only one")
    os.sched_setaffinity(0, {CORES[CLIENT_CORE]})


class Program:
    """A child on one core (None: on all) that answers lines of text with lines of JSON, until the block ends.

    What it logs goes to a file, as the log of a server does, and is shown when something went wrong.
    """

    def __init__(self, command: Sequence[str], core: int | None) -> None:
        self.command = tuple(command)
        before = os.sched_getaffinity(0)
        pipe = subprocess.PIPE
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `end`
        os.sched_setaffinity(0, CORES if core is None else {CORES[core]})  # a child runs where its parent may
        try:
            self._child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=self._log, bufsize=0)
        finally:
            os.sched_setaffinity(0, before)
        self._unread = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    def end(self) -> None:
        """End the child, by force if need be. Safe to call twice."""
        assert self._child.stdin is not None  # noqa: S101 - it is a pipe
        assert self._child.stdout is not None  # noqa: S101 - it is a pipe
        self._child.stdin.close()
        self._child.terminate()
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child.stdout.close()
        self._log.close()

    def kill(self) -> None:
        """End the child without a word, as a crash does."""
        self._child.kill()
        self.end()

    def tell(self, line: str) -> None:
        """Send the child a line."""
        assert self._child.stdin is not None  # noqa: S101 - it is a pipe
        self._child.stdin.write(line.encode() + b"\n")

    def hear(self, patience: float = PATIENCE) -> dict[str, Any]:
        """Return the next line the child says. Ends the program, in words, if it says none."""
        assert self._child.stdout is not None  # noqa: S101 - it is a pipe
        deadline = time.monotonic() + patience
        while b"\n" not in self._unread:
            readable, _, _ = select.select([self._child.stdout], [], [], max(0.0, deadline - time.monotonic()))
            read = os.read(self._child.stdout.fileno(), 65536) if readable else b""
            if not read:
                raise self._failure(
                    f"ended with {self._child.wait()}" if readable else f"said nothing for {patience:g} s"
                )
            self._unread += read
        line, _, self._unread = self._unread.partition(b"\n")
        heard: dict[str, Any] = json.loads(line)
        return heard

    @property
    def cpu(self) -> float:
        """Seconds of processor time, user and system, of all threads so far."""
        # The id of another process's clock, as clock_getcpuclockid(3) makes it.
        return time.clock_gettime((~self._child.pid << 3) | 2)

    @property
    def rss(self) -> float:
        """Resident memory in KiB."""
        return self._status("VmRSS")

    @property
    def peak_rss(self) -> float:
        """The most resident memory so far, in KiB."""
        return self._status("VmHWM")

    def _status(self, field: str) -> float:
        lines = Path(f"/proc/{self._child.pid}/status").read_text(encoding="ascii").splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(field))

    def settle(self) -> None:
        """Return when the child has done what it had to do: when a tenth of a second cost it next to nothing."""
        deadline = time.monotonic() + PATIENCE
        before = self.cpu
        while time.monotonic() < deadline:
            time.sleep(0.1)
            spent, before = self.cpu - before, self.cpu
            if spent < 0.002:
                return
        raise self._failure("does not come to rest")

    def _failure(self, what: str) -> SystemExit:
        self._log.seek(0)
        log = self._log.read()[-2000:].decode(errors="replace").strip()
        return SystemExit(f"fanout: {' '.join(self.command)} {what}; nothing is written\n{log}".rstrip())
