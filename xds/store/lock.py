"""The lock of a database: one control plane at a time, and nobody who restores under it.

It is the kernel's: however a process ends, its lock is free.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from xds.model.problems import Unavailable


def hold(path: Path) -> IO[str]:
    """Hold `<path>.lock` for the life of the process; Unavailable names the process that has it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        real = path.resolve()  # by whatever link it is called, there is one lock
        lock = real.with_name(real.name + ".lock").open("a+")
    except OSError as error:
        raise Unavailable(f"{path.parent} cannot be used: {error.strerror}", code="store") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise Unavailable(
            f"{path} is held by another control plane (process {holder}); stop it, or use another --data-dir",
            code="store_held",
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock
