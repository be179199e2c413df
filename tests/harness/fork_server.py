"""A program: `fairlead` with everything imported, which forks into real `fairlead` processes on request.

Importing is most of what starting a control plane costs, and tests start one more than a hundred times. A child has its
own process id, arguments, working directory, output and `FAIRLEAD_` variables, and goes the way of the installed
command from there: `xds.cli.main.main`. Nothing here starts a thread, an event loop or gRPC, which do not survive a
fork; the children do. `tests/harness/forks.py` is the other end and says when a command is started for itself instead.

    python -m tests.harness.fork_server FD

FD is a socket that keeps messages apart, both ways one JSON object each. `{"words", "cwd", "env"}` with a descriptor
for the output is answered with `{"pid"}`; `{"ended": PID}`, asked when that process has ended, with `{"code"}` as
`subprocess` gives it. The program ends when the other end of the socket is closed.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import socket
import sys
import threading
from pathlib import Path
from typing import Final

LONGEST: Final = 64 * 1024
"""Bytes of one message."""
OWN: Final = "FAIRLEAD_"
"""Variables that are each child's own; what imports left in the environment is for all."""
USED: Final = ("xds.cli.main", "xds.cli.envoy", "xds.cli.extproc", "xds.app", "uvicorn.protocols.http.auto", "uvloop")


def load() -> None:
    """Import what the commands use, and compile the encoders, so that no child has to."""
    gc.disable()
    for module in USED:
        with contextlib.suppress(ImportError):  # uvloop is not everywhere; what else is missing fails in the child
            importlib.import_module(module)
    importlib.import_module("xds.translate.warmup").warm_up()
    gc.freeze()  # a collection in a child would copy every page
    gc.enable()
    threads = list(Path("/proc/self/task").iterdir())  # those that Python does not know of too
    assert len(threads) == threading.active_count() == 1, "a thread does not survive a fork"


def serve(channel: socket.socket) -> list[str] | None:
    """Fork for each request; returns the command line in a child, None here when nobody is left to ask."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, LONGEST, 1)
        if not message:
            return None
        request = json.loads(message)
        if "ended" in request:
            _, status = os.waitpid(request["ended"], 0)
            channel.send(json.dumps({"code": os.waitstatus_to_exitcode(status)}).encode())
            continue
        (output,) = descriptors
        pid = os.fork()
        if pid == 0:
            channel.close()
            _become(request, output)
            return list(request["words"])
        os.close(output)
        channel.send(json.dumps({"pid": pid}).encode())


def _become(request: dict[str, dict[str, str]], output: int) -> None:
    for descriptor in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(output, descriptor)
    os.close(output)
    os.chdir(str(request["cwd"]))
    for name in [name for name in os.environ if name.startswith(OWN)]:
        del os.environ[name]
    os.environ.update(request["env"])


if __name__ == "__main__":
    load()
    words = serve(socket.socket(fileno=int(sys.argv[1])))
    if words is not None:
        sys.argv = words
        sys.path[0] = str(Path(words[0]).parent)  # as for a script
        sys.exit(importlib.import_module("xds.cli.main").main())
