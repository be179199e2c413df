"""The programs that the demo starts, and that end with it, whatever happens.

Each gets a process group and a log file of its own. They are asked to end in an orderly way first, in the reverse of
the order they were started in, and killed when they do not; on Linux the kernel asks them, should the demo itself be
killed. A program that ends although nobody asked it to is the demo's failure, with the end of its log.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

GRACE: Final = 15.0  # seconds to end in; an Envoy drains first
LAST_WORDS: Final = 1_500  # characters of a log that are worth showing

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


class Ended(Exception):
    """A program ended although nobody asked it to."""


@dataclass(slots=True)
class Program:
    """One running program."""

    name: str
    process: asyncio.subprocess.Process
    log: Path
    is_wanted: bool = True

    @property
    def pid(self) -> int:
        """Return its process id, which is also that of its group."""
        return self.process.pid

    def last_words(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-LAST_WORDS:].strip()

    async def stop(self) -> None:
        """End it with SIGTERM, or SIGKILL to its whole group after `GRACE` seconds. Idempotent."""
        self.is_wanted = False
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), GRACE)
        self.kill()
        await self.process.wait()

    def kill(self) -> None:
        """SIGKILL whatever is left of its group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


class Programs:
    """Every program of one demo."""

    def __init__(self, logs: Path) -> None:
        """Write logs into the folder `logs`, which exists."""
        self.logs = logs
        self._running: list[Program] = []

    async def start(self, name: str, command: Sequence[str]) -> Program:
        """Start `command` under the name `name`."""
        log = self.logs / f"{name}.log"
        with log.open("ab") as sink:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink,
                stderr=asyncio.subprocess.STDOUT,
                env=_environment(),
                start_new_session=True,
                preexec_fn=_end_with_parent(),
            )
        program = Program(name, process, log)
        self._running.append(program)
        return program

    async def watch(self) -> None:
        """Return never; Ended as soon as a program ends that should not have."""
        while True:
            if fallen := self.fallen():
                raise Ended(fallen)
            await asyncio.sleep(0.1)

    def fallen(self) -> str:
        """Return which program ended although nobody asked it to, and its last words; "" while none did."""
        for program in self._running:
            if program.is_wanted and program.process.returncode is not None:
                how = f"{program.name} ended with code {program.process.returncode}"
                return f"{how}; the end of {program.log}:\n{program.last_words()}"
        return ""

    async def stop(self, *programs: Program) -> None:
        """End these, all at once."""
        await asyncio.gather(*(program.stop() for program in programs))

    async def stop_all(self) -> None:
        """End everything: what is nearest to the users first, the control plane last."""
        try:
            while self._running:
                batch = [program for program in self._running if program.name.startswith("envoy-")]
                batch = batch or self._running[-1:]
                await self.stop(*batch)
                self._running = [program for program in self._running if program not in batch]
        finally:
            for program in self._running:
                program.kill()


def _end_with_parent() -> Callable[[], None]:
    """Return what a child does first: ask the kernel for a SIGTERM when the demo dies, even by SIGKILL."""
    parent = os.getpid()

    def prepare() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
            if os.getppid() != parent:  # it died in between
                os._exit(1)

    return prepare


def _environment() -> dict[str, str]:
    """Return our environment without the settings that somebody made for another control plane."""
    return {name: value for name, value in os.environ.items() if not name.startswith("FAIRLEAD_")}


def free_ports(number: int) -> list[int]:
    """Return `number` different TCP ports that nobody uses on this machine at the moment."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
