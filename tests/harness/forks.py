"""Starts `fairlead` by forking a process that has imported it already (`tests/harness/fork_server.py`).

A forked process is a real one to everybody: to signals, /proc, ports and files. It is not a child of this process, so
that its end is seen by a descriptor for it and its exit code asked of its parent.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, Protocol

from tests.harness.fork_server import LONGEST, OWN
from tests.harness.repo import ROOT

ANOTHER_AT_EACH_TEST: Final = "PYTEST_CURRENT_TEST"
COVERAGE: Final = "COVERAGE_PROCESS_"
"""Variables by which coverage begins to measure a process at its start."""


class Process(Protocol):
    """What `subprocess.Popen` and a forked process have in common."""

    pid: int

    def poll(self) -> int | None:
        """The exit code, minus the signal's number if one ended it; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """The same at its end; `subprocess.TimeoutExpired` if that does not come in `timeout` seconds."""

    def send_signal(self, sig: int) -> None:
        """A signal to it; nothing if its end has been seen."""

    def terminate(self) -> None:
        """SIGTERM."""

    def kill(self) -> None:
        """SIGKILL."""


class Forked:
    """One process that the fork server has forked."""

    def __init__(self, server: ForkServer, pid: int, words: Sequence[str]) -> None:
        self.pid = pid
        self._server = server
        self._words = words
        self._life = os.pidfd_open(pid)  # nobody has reaped it, so that it is this one
        self._code: int | None = None

    def poll(self) -> int | None:
        return self._seen(0)

    def wait(self, timeout: float | None = None) -> int:
        code = self._seen(timeout)
        if code is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(self._words, timeout)
        return code

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _seen(self, timeout: float | None) -> int | None:
        if self._code is None and select.select([self._life], [], [], timeout)[0]:
            self._code = self._server.code(self.pid)
            os.close(self._life)
        return self._code


class ForkServer:
    """The program that forks; started at the first use, as it takes some seconds."""

    def __init__(self) -> None:
        self._world = _world({})
        self._turn = threading.Lock()
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._program = subprocess.Popen(
                [sys.executable, "-m", "tests.harness.fork_server", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
            )

    def suits(self, env: Mapping[str, str]) -> bool:
        """Whether a process with these variables more would find the environment that was there at the imports."""
        return _world(env) == self._world and not any(name.startswith(COVERAGE) for name in self._world)

    def start(self, words: Sequence[str], output: IO[bytes], env: Mapping[str, str]) -> Process:
        """Fork a process that runs `words`, the first of them being the path of `fairlead`."""
        own = {name: value for name, value in {**os.environ, **env}.items() if name.startswith(OWN)}
        request = {"words": words, "cwd": str(Path.cwd()), "env": own}
        return Forked(self, self._ask(request, [output.fileno()])["pid"], words)

    def code(self, pid: int) -> int:
        """The exit code of a process that has ended; asked once."""
        return int(self._ask({"ended": pid})["code"])

    def close(self) -> None:
        """End it. What it has forked goes on."""
        self._channel.close()
        self._program.wait()

    def _ask(self, request: Mapping[str, object], descriptors: Sequence[int] = ()) -> Any:
        with self._turn:
            socket.send_fds(self._channel, [json.dumps(request).encode()], descriptors)
            answer = self._channel.recv(LONGEST)
        assert answer, f"the fork server ended with {self._program.wait()}"
        return json.loads(answer)


_RUNNING: Final[list[ForkServer]] = []


def server() -> ForkServer | None:
    """The one of this test process; None where a process has no descriptor (it is Linux's)."""
    if not hasattr(os, "pidfd_open"):
        return None
    if not _RUNNING:
        _RUNNING.append(ForkServer())
    return _RUNNING[0]


def close() -> None:
    """End the one that runs, if one does."""
    while _RUNNING:
        _RUNNING.pop().close()


def _world(env: Mapping[str, str]) -> dict[str, str]:
    """What code may have read while it was imported."""
    return {
        name: value
        for name, value in {**os.environ, **env}.items()
        if not name.startswith(OWN) and name != ANOTHER_AT_EACH_TEST
    }
