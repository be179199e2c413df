"""Ports nobody listens on.

Knows which ports of this machine are free now and which were handed out before in this process. Cannot promise that
another program does not take one in between; asking the kernel for an ephemeral port makes that rare.
"""

from __future__ import annotations

import socket
from typing import Final

_ATTEMPTS: Final = 200
_handed_out: set[int] = set()


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
    for _ in range(_ATTEMPTS):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((host, 0))
            port = int(probe.getsockname()[1])
        if port not in _handed_out and is_free(port, anywhere):
            _handed_out.add(port)
            return port
    message = f"no free port on {host} in {_ATTEMPTS} attempts"
    raise RuntimeError(message)
