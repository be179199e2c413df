"""A program as a child process whose life is this command's: signals are passed on, its exit code is ours.

Knows processes and signals, and nothing of registrations. Its user blocks the signals first, and waits for them here.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from xds.cli.child import POLL_S, STOPPING, in_the_child
from xds.cli.exits import Exit, Failed, complain

PASSED_ON: Final = frozenset({signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH})
_WAITED_FOR: Final = STOPPING | PASSED_ON | {signal.SIGCHLD}


@contextmanager
def signals_wait() -> Iterator[None]:
    """Let signals queue until they are asked for: none is lost, and none interrupts."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED_FOR)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Supervised:
    """The child; without a command there is none, and only the signals to stop are waited for."""

    def __init__(self, command: Sequence[str]) -> None:
        """Start it, in a process group of its own, where a terminal's Ctrl-C does not reach it; Failed in words."""
        self._child: subprocess.Popen[bytes] | None = None
        if not command:
            return
        try:
            self._child = subprocess.Popen(
                command,
                process_group=0,
                preexec_fn=in_the_child(PASSED_ON),  # noqa: PLW1509 - no thread of ours runs yet
            )
        except OSError as error:
            raise Failed(f"{command[0]} cannot be started: {error.strerror}", Exit.INVALID) from None

    @property
    def has_child(self) -> bool:
        """Say whether there is a program of ours at all."""
        return self._child is not None

    @property
    def ended(self) -> bool:
        """Say whether there was a child and it has ended."""
        return self._child is not None and self._child.poll() is not None

    @property
    def code(self) -> int:
        """Return the exit code, 128 + n for signal n; 0 where there was no child."""
        code = self._child.returncode if self._child is not None else 0
        return 128 - code if code < 0 else code

    def rest(self, seconds: float = POLL_S) -> bool:
        """Wait a moment, pass on what comes meanwhile; True when this command is to stop."""
        number = signal.sigtimedwait(_WAITED_FOR, seconds)
        return number is not None and self._took(number.si_signo)

    def linger(self, seconds: float) -> None:
        """Let so much time pass while the child goes on serving; its end, or a second signal, ends this early."""
        until = time.monotonic() + seconds
        while not self.ended and (left := until - time.monotonic()) > 0:
            if self.rest(min(left, POLL_S)):
                return

    def stop(self, patience: float) -> None:
        """Pass SIGTERM on, and SIGKILL where that is not enough."""
        if self._child is None or self.ended:
            return
        self._child.terminate()
        try:
            self._child.wait(patience)
        except subprocess.TimeoutExpired:
            complain(f"process {self._child.pid} did not end within {patience:g} s of SIGTERM: killed")
            self._child.kill()
            self._child.wait()

    def _took(self, number: int) -> bool:
        if number in PASSED_ON and self._child is not None and not self.ended:
            self._child.send_signal(number)
        return number in STOPPING
