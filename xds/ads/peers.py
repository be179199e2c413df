"""Each connection's budget of new streams, and the end of a connection that spends more.

gRPC keeps a connection to so many streams at a time, but not to so many after one another: a client that opens and
resets them in a burst (CVE-2023-44487, "rapid reset") was measured to keep a core busy for as long as it likes, and
gRPC offers no way to close one connection. The kernel does: the server's end of it is a socket of this process, found
by the peer's address. Knows connections only, not who is behind them or what streams are for.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from .limits import Bucket

OWN_SOCKETS: Final = Path("/proc/self/fd")
MAPPED: Final = "::ffff:"
"""What a socket for both families puts before an IPv4 address; gRPC leaves it out."""
MANY: Final = 1024
"""Connections that are remembered before those at rest are forgotten."""


class Peers:
    """A bucket of new streams for each connection: `rate` a second in the long run, `burst` at once.

    Connections are told apart by gRPC's names for them, `ipv4:127.0.0.1:40112` or `ipv6:%5B::1%5D:40112`. Unix sockets
    have no name of their own, and whoever may open one may do worse; they have no budget.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._budgets: dict[str, Bucket] = {}
        self._closed: set[str] = set()
        self._tidy_at = MANY

    def take(self, peer: str, now: float) -> bool:
        """Take one new stream from a connection's budget; False if it is spent."""
        if address(peer) is None:
            return True
        budget = self._budgets.get(peer)
        if budget is None:
            self._tidy(now)
            budget = self._budgets[peer] = Bucket(self._rate, self._burst)
        taken = budget.take(now)
        if taken:
            self._closed.discard(peer)
        return taken

    def close(self, peer: str) -> bool:
        """Close the connection of a peer, in both directions; False if that was done before, or there is none.

        Streams that were on their way in go on arriving from gRPC for a moment.
        """
        at = address(peer)
        if at is None or peer in self._closed:
            return False
        self._closed.add(peer)
        return any(_shut(descriptor, at) for descriptor in _descriptors())

    def _tidy(self, now: float) -> None:
        """Forget connections whose budget is whole again: they may be gone, and are treated as new if not."""
        if len(self._budgets) < self._tidy_at:
            return
        self._budgets = {peer: budget for peer, budget in self._budgets.items() if not budget.whole(now)}
        self._closed &= self._budgets.keys()
        self._tidy_at = MANY + 2 * len(self._budgets)


def address(peer: str) -> tuple[str, int] | None:
    """Return host and port of gRPC's name for a peer; None if it has none."""
    family, _, rest = peer.partition(":")
    host, _, port = unquote(rest).rpartition(":")
    if family not in {"ipv4", "ipv6"} or not port.isdigit():
        return None
    return host.strip("[]"), int(port)


def _descriptors() -> Iterator[int]:
    """Yield the descriptors that this process has open; none where the system does not list them."""
    try:
        names = [entry.name for entry in OWN_SOCKETS.iterdir()]
    except OSError:
        return
    yield from (int(name) for name in names)


def _shut(descriptor: int, peer: tuple[str, int]) -> bool:
    """Shut a connection down if it is the one to `peer`, on a duplicate: the number may be another's by now."""
    try:
        copy = os.dup(descriptor)
    except OSError:
        return False
    try:
        connection = socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        return False
    with connection:
        try:
            host, port = connection.getpeername()[:2]
            if (host.removeprefix(MAPPED), port) != peer:
                return False
            connection.shutdown(socket.SHUT_RDWR)
        except (OSError, ValueError):  # no connection, or a kind of socket whose ends have other names
            return False
    return True
