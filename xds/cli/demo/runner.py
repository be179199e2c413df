"""One run of the demo from set-up to clean-up, and the exit code it deserves.

Whatever happens, every program that was started has ended when this returns. The logs stay only after a failure, and
then the last line says where.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from xds.cli.demo.board import Board
from xds.cli.demo.calls import Refused
from xds.cli.demo.farewell import failure, things_to_try
from xds.cli.demo.ledger import Ledger
from xds.cli.demo.load import Load
from xds.cli.demo.programs import Ended, Programs
from xds.cli.demo.screen import Screen
from xds.cli.demo.stage import NEW, OLD, SERVICE, NotSetUp, Stage
from xds.cli.demo.story import Disappointed, Story
from xds.cli.demo.verdict import Broken

RATE = 1_500.0  # requests per second; a slower machine is given time, not more requests
SALT = f"default/{SERVICE}"  # a service's own salt is its name in full
KEEP_VERSION = "v3"
INTERRUPTED = 130  # what a shell reports of a program that SIGINT ended
REAPED = 0.2  # seconds until the end of a program is known, which may be why a call failed
STORY_TIMEOUT = 90.0  # seconds after set-up

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FAILURES = (Disappointed, NotSetUp, Refused, Ended)


@dataclass(frozen=True, slots=True)
class Options:
    """What may be asked of the demo. `broken` is a version that answers 500, to see what a failure looks like."""

    keep: bool = False
    users: int = 4_000
    seed: int = 5
    color: bool = True
    plain: bool = False
    broken: str = ""


def population(users: int, seed: int) -> list[str]:
    """Return the names of `users` different users; the same for the same seed."""
    return [f"user-{number:08x}" for number in random.Random(seed).sample(range(16**8), users)]


def run(options: Options) -> int:
    """Run the demo and return its exit code: 0 only if every expectation held, 1 otherwise, 130 when interrupted."""
    console = Console(no_color=not options.color, force_terminal=False if options.plain else None)
    screen = Screen(console)
    try:
        return asyncio.run(_run(options, screen))
    except (asyncio.CancelledError, KeyboardInterrupt):
        screen.say("Interrupted. Nothing is left running.")
        return INTERRUPTED


async def _run(options: Options, screen: Screen) -> int:
    """Set up, play, clean up."""
    task = asyncio.current_task()
    if task is not None:
        for number in _SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    folder = Path(tempfile.mkdtemp(prefix="fairlead-demo-"))
    logs = folder / "logs"
    logs.mkdir()
    programs = Programs(logs)
    stage = Stage(programs, folder, broken=options.broken)
    error: BaseException | None = None
    fallen = ""
    try:
        await _play(options, screen, programs, stage)
    except* _FAILURES as failures:
        error = _first(failures)
        await asyncio.sleep(REAPED)
        fallen = programs.fallen()
    finally:
        await stage.calls.close()
        await programs.stop_all()
        if error is None:
            shutil.rmtree(folder, ignore_errors=True)
    if error is not None:
        screen.say(failure(error, logs, fallen))
        return 1
    screen.say("Everything held. Nothing is left running.")
    return 0


async def _play(options: Options, screen: Screen, programs: Programs, stage: Stage) -> None:
    ledger = Ledger(population(options.users, options.seed), old=OLD, new=NEW, salt=SALT)
    board = Board(ledger, screen.finished)
    async with asyncio.TaskGroup() as tasks:
        watch = tasks.create_task(programs.watch())
        clock = asyncio.get_running_loop().time
        began = clock()
        await stage.set_up(lambda part: screen.say(f"starting: {part}"))
        screen.say(f"set up in {clock() - began:.1f} s; {options.users:,} users begin to come and go")
        began = clock()
        load = Load(ledger, "127.0.0.1", stage.gateway_port, rate=RATE)
        with screen.showing(board):
            visits = tasks.create_task(load.run())
            drawing = tasks.create_task(screen.run(board))
            try:
                async with asyncio.timeout(STORY_TIMEOUT):
                    await Story(stage, ledger, board).play()
            except TimeoutError:
                raise Disappointed((_late(board),)) from None
            load.stop()
            await visits
            drawing.cancel()
        took = clock() - began
        screen.say(f"{ledger.requests:,} requests in {took:.1f} s, {ledger.requests / took:,.0f} a second")
        if options.keep:
            await stage.add(KEEP_VERSION)
            screen.say(things_to_try(stage, KEEP_VERSION))
            await _interrupted()
        watch.cancel()


def _late(board: Board) -> Broken:
    speed = f"{board.ledger.requests / STORY_TIMEOUT:,.0f} requests a second"
    seen = f"still at step {board.rows[-1].title!r}, with {speed}: a slow machine wants fewer --users"
    return Broken("the story", "time after set-up", f"at most {STORY_TIMEOUT:g} s", seen)


async def _interrupted() -> None:
    """Return when somebody asks for the end: from here on that is no failure."""
    asked = asyncio.Event()
    for number in _SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    await asked.wait()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error of a group, however deep."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
