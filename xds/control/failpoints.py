"""Failpoints: named places where a test may end the process, raise or wait; otherwise they do nothing.

FAIRLEAD_FAILPOINTS switches them on, as in `store.written=kill` or `store.committed=kill@3,lastgood.begin=sleep:2`.
`kill` ends the process as kill -9 does, `raise` raises OSError, `sleep:SECONDS` waits in that thread; `@N` means the
N-th time. `POINTS` names them all, and a test ends a process at each.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections import Counter
from collections.abc import Mapping
from typing import Final

VARIABLE: Final = "FAIRLEAD_FAILPOINTS"

POINTS: Final = frozenset(
    {
        "commit.accepted", "commit.durable", "commit.applied", "commit.answered",
        "publish.before", "publish.after",
        "store.opened", "store.created", "store.begin", "store.written", "store.committed",
        "store.noted", "store.preserved", "store.tidied",
        "migration.before", "migration.backed_up", "migration.step", "migration.after",
        "lastgood.begin", "lastgood.written", "lastgood.synced", "lastgood.renamed",
        "restore.aside", "restore.placed",
    }
)  # fmt: skip

_hits: Counter[str] = Counter()


def read(text: str) -> Mapping[str, tuple[str, int]]:
    """Return what is switched on, by name: what it does, and at which time it is passed (0: each)."""
    found: dict[str, tuple[str, int]] = {}
    for part in filter(None, text.split(",")):
        name, _, what = part.partition("=")
        action, _, at = what.partition("@")
        if name not in POINTS:
            raise ValueError(f"{name} is no failpoint")
        found[name] = action, int(at or 0)
    return found


_armed = read(os.environ.get(VARIABLE, ""))


def failpoint(name: str) -> None:
    """Do at this place what FAIRLEAD_FAILPOINTS says; nothing otherwise."""
    if not _armed or name not in _armed:
        return
    action, at = _armed[name]
    _hits[name] += 1
    if at and _hits[name] != at:
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "raise":
        raise OSError(errno.EIO, f"failpoint {name}")
    else:
        time.sleep(float(action.removeprefix("sleep:")))
