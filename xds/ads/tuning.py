"""How gRPC is told to run, before it is loaded: it reads this from the environment, once.

gRPC's event engine hands each incoming message from one thread to another before Python sees it. A server that does
its work in one event loop gains nothing by that; without it a push with its answer was measured to cost two thirds
(docs/performance.md). What the environment already says stands.
"""

from __future__ import annotations

import os
from typing import Final

EXPERIMENTS: Final = "GRPC_EXPERIMENTS"
LISTENER: Final = "event_engine_listener"


def tune() -> None:
    """Prefer gRPC's older, single-threaded listener, unless somebody has already decided about it."""
    said = os.environ.get(EXPERIMENTS, "")
    if LISTENER not in said:
        os.environ[EXPERIMENTS] = ",".join(filter(None, (said, f"-{LISTENER}")))


tune()
