"""Ports nobody listens on.

Knows which ports of this machine are free now and which were handed out before. They lie below those that the kernel
gives to outgoing connections, and processes that run tests side by side have ranges of their own: so nothing of these
tests takes one in between. That another program does cannot be ruled out.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Final

_FIRST: Final = 10_000
_RANGE: Final = 2_500
"""Ports of one process: nine processes fit below 32,768, where Linux has its ephemeral ports begin."""


def _ports() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    begin = os.getpid() * 40  # another run of the same tests would otherwise want the same ports, at the same time
    for number in range(_RANGE):
        yield _FIRST + worker * _RANGE + (begin + number) % _RANGE


_left: Final = _ports()


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether `port` can be bound exclusively.

    Without SO_REUSEADDR and SO_REUSEPORT on our side, so that a port that another program
    shares (two Envoys do, without a word) counts as taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port free on `host` and on every other address, never the same twice in one run."""
    anywhere = "::" if ":" in host else "0.0.0.0"
    for port in _left:
        if is_free(port, host) and is_free(port, anywhere):
            return port
    message = f"no free port left on {host}"
    raise RuntimeError(message)
