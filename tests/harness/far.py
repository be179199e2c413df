"""A network of a test's own behind one cable, which can really be cut: programs run there as on another host."""

from __future__ import annotations

import os
import subprocess
import sys
from types import TracebackType
from typing import Self

from tests.harness import upstream
from tests.harness.processes import Program, Programs
from tests.harness.waiting import wait_until


class FarNetwork:
    """A namespace of the kernel with a virtual cable to it, until the block ends."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs
        self._name = f"far{os.getpid()}"
        here = f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
        self.near, self.address = f"{here}.1", f"{here}.2"
        """The addresses of both ends of the cable; the second is the far one."""

    def __enter__(self) -> Self:
        _ip("netns", "add", self._name)
        _ip("link", "add", self._name, "type", "veth", "peer", "name", "cable", "netns", self._name)
        _ip("address", "add", f"{self.near}/30", "dev", self._name)
        _ip("link", "set", self._name, "up")
        _ip("-n", self._name, "address", "add", f"{self.address}/30", "dev", "cable")
        _ip("-n", self._name, "link", "set", "cable", "up")
        _ip("-n", self._name, "link", "set", "lo", "up")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        _ip("netns", "delete", self._name)  # and with it both ends of the cable

    @property
    def inside(self) -> tuple[str, ...]:
        """What stands before a command that runs there; it becomes that command, and shares the mounts of this host."""
        return ("nsenter", f"--net=/run/netns/{self._name}")

    def apps(self, *ports: int) -> Program:
        """Start applications there, one program for all of them."""
        words = [f"v1:{port}@{self.address}" for port in ports]
        program = self._programs.start([*self.inside, sys.executable, upstream.__file__, *words], name="far-apps")
        wait_until(lambda: "up" in program.output(), what="the applications listen")
        return program

    def cut(self) -> None:
        """Pull the cable."""
        _ip("-n", self._name, "link", "set", "cable", "down")

    def mend(self) -> None:
        """Plug it in again."""
        _ip("-n", self._name, "link", "set", "cable", "up")


def _ip(*words: str) -> None:
    subprocess.check_call(["ip", *words])
