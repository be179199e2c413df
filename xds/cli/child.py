"""One Envoy as a child process: started with its own file, drained before it is stopped, never left behind.

Envoy ends within milliseconds of SIGTERM and cuts what is in flight. So whoever stops `fairlead envoy` stops it first:
Envoy is in a process group of its own, where a terminal's Ctrl-C does not reach it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from xds.cli.admin import Admin
from xds.cli.exits import complain

PR_SET_PDEATHSIG: Final = 1
STOPPING: Final = frozenset({signal.SIGTERM, signal.SIGINT})
POLL_S: Final = 0.1
KILL_AFTER_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Drain:
    """How an Envoy is taken out of traffic, in seconds.

    For `window` it still accepts, so that whoever sends here can notice; then its listeners close, and what is in
    flight has until `limit` in all.
    """

    window: float = 5.0
    limit: float = 30.0


def run(command: Sequence[str | Path], admin: Admin, drain: Drain, started: Callable[[int], None]) -> int:
    """Run Envoy until it ends, and return its exit code (128 + n for signal n). `started` gets its process id.

    SIGTERM or SIGINT drains and stops it; a second one skips the drain.
    """
    waited_for = STOPPING | {signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waited_for)
    try:
        child = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            process_group=0,
            preexec_fn=in_the_child(),  # noqa: PLW1509 - nothing of ours runs in threads here, and nothing is locked
        )
        try:
            started(child.pid)
            return _serve(child, admin, drain)
        finally:
            _end(child, KILL_AFTER_S)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(child: subprocess.Popen[bytes], admin: Admin, drain: Drain) -> int:
    while child.poll() is None:
        number = signal.sigwait(STOPPING | {signal.SIGCHLD})
        if number == signal.SIGCHLD:
            continue
        complain(f"draining for up to {drain.limit:g} s (once more to stop at once)")
        drained(child, admin, drain)
        _end(child, KILL_AFTER_S)
    code = child.returncode
    return 128 - code if code < 0 else code


def drained(child: subprocess.Popen[bytes], admin: Admin, drain: Drain) -> bool:
    """Drain, and return whether nothing was left in flight; False at the limit, on a second signal or without admin."""
    begun = time.monotonic()
    try:
        admin.start_drain()
        while (elapsed := time.monotonic() - begun) < drain.limit and child.poll() is None:
            if signal.sigtimedwait(STOPPING, POLL_S) is not None:
                return False
            if elapsed >= drain.window and not admin.in_flight():
                return True
    except OSError as error:
        complain(f"Envoy's admin interface does not answer ({error}): stopping without a drain")
        return False
    complain(f"stopping with requests in flight after {drain.limit:g} s")
    return False


def _end(child: subprocess.Popen[bytes], patience: float) -> None:
    """SIGTERM, and SIGKILL for one that does not end by it."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(patience)
    except subprocess.TimeoutExpired:
        complain(f"Envoy did not end within {patience:g} s of SIGTERM: killed")
        child.kill()
        child.wait()


def in_the_child(also: Collection[signal.Signals] = ()) -> Callable[[], None]:
    """What a child does before it becomes its program: let signals in again (`also` these), and die with us.

    PR_SET_PDEATHSIG (Linux): were this process killed by SIGKILL, nobody could drain Envoy, and it would go on holding
    its ports unseen. SIGTERM lets it flush its access logs. The library is loaded before the fork.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    parent = os.getpid()

    def prepare() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {*STOPPING, signal.SIGCHLD, *also})
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))
            if os.getppid() != parent:  # it died in between
                os._exit(1)

    return prepare
