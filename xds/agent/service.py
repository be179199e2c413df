"""The agent as a program of its own: signals, the files of its settings, and the event loop that all of it runs on."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from xds.agent.run import Agent
from xds.agent.settings import AgentSettings

_log = logging.getLogger(__name__)


def serve(
    settings: AgentSettings, server: str, token: str, reread: Callable[[], AgentSettings], files: Sequence[Path] = ()
) -> None:
    """Run an agent until SIGTERM or SIGINT. `reread` reads its settings again, at SIGHUP and when `files` change."""
    with asyncio.Runner() as runner:
        runner.run(_serve(Agent(settings, server, token, reread), files))


async def _serve(agent: Agent, files: Sequence[Path]) -> None:
    stop, asked = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, asked.set)
    async with asyncio.TaskGroup() as tasks:
        background = [tasks.create_task(agent.run(asked), name="agent")]
        if files:
            background.append(tasks.create_task(watch(files, asked.set), name="agent-config"))
        await stop.wait()
        _log.info("stopping: what is registered stays so for %g s, the next agent takes it over", agent.settings.ttl)
        for task in background:
            task.cancel()


async def watch(files: Sequence[Path], changed: Callable[[], None]) -> None:
    """Call `changed` whenever one of the files is another one than a second before."""
    before = [*map(_stamp, files)]
    while True:
        await asyncio.sleep(1.0)
        now = [*map(_stamp, files)]
        if now != before:
            before = now
            changed()


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_mtime_ns, found.st_size, found.st_ino
