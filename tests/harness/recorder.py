"""A relay on a unix socket that keeps what it was asked: in front of a real engine, for fault D4.

It knows as much HTTP as it takes to see a request's first line. Whoever asks with a body is asked for its length.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path


class Recorder:
    """Relays `path` to `target`; `asked` are the first lines of all requests, as they came."""

    def __init__(self, path: Path, target: Path) -> None:
        self.path = path
        self.asked: list[str] = []
        self._refused = ""
        self._target = target
        self._open: set[socket.socket] = set()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    @contextlib.contextmanager
    def running(self) -> Iterator[Recorder]:
        """The relay, until the end."""
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        thread = threading.Thread(target=self._accept, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self.cut()
            thread.join(5)

    @contextlib.contextmanager
    def refusing(self, path: str) -> Iterator[None]:
        """Hang up on whoever asks for what ends like that, until the end of the block."""
        self._refused = path
        try:
            yield
        finally:
            self._refused = ""

    def cut(self) -> None:
        """Break every connection, as a restart of an engine does."""
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(near,), daemon=True).start()

    def _relay(self, near: socket.socket) -> None:
        far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with near, far:
            try:
                far.connect(str(self._target))
            except OSError:
                return
            self._open |= {near, far}
            back = threading.Thread(target=_pump, args=(far, near), daemon=True)
            back.start()
            self._watch(near, far)
            back.join(5)
            self._open -= {near, far}

    def _watch(self, near: socket.socket, far: socket.socket) -> None:
        heads = b""
        with contextlib.suppress(OSError):
            while chunk := near.recv(65_536):
                heads += chunk
                *whole, heads = heads.split(b"\r\n\r\n")
                lines = [head.split(b"\r\n")[0].decode("latin-1") for head in whole]
                self.asked += lines
                if self._refused and any(line.split(" ")[1].endswith(self._refused) for line in lines):
                    break
                far.sendall(chunk)
        for end in (far, near):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65_536):
            sink.sendall(chunk)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
