"""What tests lean on has to hold itself."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.ports import is_free
from tests.harness.processes import Programs
from tests.harness.waiting import NotInTime, until, wait_until

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
]


def test_a_free_port_is_given_once(free_port: Callable[[], int]) -> None:
    ports = [free_port() for _ in range(20)]
    assert len(set(ports)) == len(ports)
    assert all(is_free(port) for port in ports)


def test_a_port_that_a_program_is_willing_to_share_is_not_free() -> None:
    """Two Envoys share a port by SO_REUSEPORT without a word; for us it is taken."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert not is_free(taken.getsockname()[1])


def test_waiting_returns_what_the_condition_answered() -> None:
    answers = iter([None, 0, "there"])
    assert wait_until(lambda: next(answers), timeout=5) == "there"


def test_waiting_in_vain_says_what_was_seen_last() -> None:
    def never() -> bool:
        message = "one is not two"
        raise AssertionError(message)

    with pytest.raises(NotInTime, match=r"never.*one is not two"):
        wait_until(never, timeout=0.05)


async def test_coroutines_wait_in_the_same_way() -> None:
    answers = iter([None, "there"])

    async def answer() -> str | None:
        return next(answers)

    assert await until(answer, timeout=5) == "there"


def test_programs_end_with_their_test_whatever_they_think_of_it(tmp_path: Path) -> None:
    programs = Programs(tmp_path)
    polite, stopped = programs.start(SLEEPER, name="polite"), programs.start(SLEEPER, name="stopped")
    for program in (polite, stopped):
        wait_until(lambda p=program: "up" in p.output(), what="started")  # type: ignore[misc]  # a bound loop variable
    stopped.send(signal.SIGSTOP)
    programs.stop_all()
    assert not polite.running
    assert not stopped.running
    with pytest.raises(ProcessLookupError):
        os.kill(polite.pid, 0)


def test_a_program_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    programs = Programs(tmp_path)
    stubborn = programs.start(STUBBORN, name="stubborn")
    wait_until(lambda: "up" in stubborn.output(), what="started")
    assert stubborn.stop(timeout=0.2) == -signal.SIGKILL


def test_the_real_envoy_is_there(envoy_binary: Path) -> None:
    assert envoy_binary.stat().st_mode & 0o111
