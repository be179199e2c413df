"""Deaths as the kernel tells them: a pidfd becomes readable when its process ends, with or without an engine.

It works where the agent shares the process ids of the containers' host; anywhere else, `watch` says that it does not,
and the engine's events are what there is.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

_LONG_ID: Final = re.compile(r"[0-9a-f]{64}\Z")


class Deaths:
    """Watches one process for each container; `told` is called with the container and the process that ended."""

    def __init__(self, told: Callable[[str, int], None], proc: Path = Path("/proc")) -> None:
        """Watch nothing yet."""
        self._told = told
        self._proc = proc
        self._watched: dict[str, tuple[int, int]] = {}

    def watch(self, container: str, pid: int) -> bool:
        """Watch a container's process; False where that cannot be done. One that is watched already is not twice."""
        known = self._watched.get(container)
        if known is not None and known[0] == pid:
            return True
        self.forget(container)
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            return False
        if not self._is_theirs(container, pid):  # another host's number, or somebody else's by now
            os.close(descriptor)
            return False
        self._watched[container] = (pid, descriptor)
        asyncio.get_running_loop().add_reader(descriptor, self._ended, container)
        return True

    def forget(self, container: str) -> None:
        """Watch a container no longer."""
        known = self._watched.pop(container, None)
        if known is not None:
            asyncio.get_running_loop().remove_reader(known[1])
            os.close(known[1])

    def close(self) -> None:
        """Watch nobody."""
        for container in list(self._watched):
            self.forget(container)

    def _ended(self, container: str) -> None:
        pid = self._watched[container][0]
        self.forget(container)
        self._told(container, pid)

    def _is_theirs(self, container: str, pid: int) -> bool:
        """Say whether a process is a container's: its control group names it, as every runtime's does."""
        if not _LONG_ID.match(container):
            return False
        try:
            return container in (self._proc / str(pid) / "cgroup").read_text()
        except OSError:
            return False
