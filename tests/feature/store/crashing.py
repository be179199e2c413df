"""A program that dies at failpoints: it loads the control plane once, and forks a process for each that is to die.

Each line on standard input names a failpoint, a time at which it is passed, a folder and what to do there; the answer
is the status of the process. What was acknowledged and published stands in `told` in the folder, written before the
process goes on.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from tests.harness.declared import instance
from xds.control import failpoints
from xds.control.admission import Admitted
from xds.control.clock import SystemClock
from xds.control.plane import ControlPlane
from xds.model.declare import Declaration, Delete, Put
from xds.model.health import Health
from xds.model.intent import Kind, Ref
from xds.sources.leases import WheelLeases
from xds.store.restore import restore
from xds.store.sqlite import SqliteStore
from xds.translate.warmup import warm_up


class Told:
    """What the process said before it died; each line is in the file when `say` returns."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / "told", os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def say(self, words: str) -> None:
        os.write(self._file, f"{words}\n".encode())


async def live(folder: Path) -> None:
    """Start on what is there, declare, remove, observe, tidy up, keep the good state, twice over."""
    told, clock = Told(folder), SystemClock()
    store = SqliteStore(folder / "fairlead.db", last_good=folder / "last-good")
    plane = ControlPlane(store=store, clock=clock, leases=WheelLeases(clock), filter=Admitted(None))
    publish = plane.cache.publish

    def publishing(*args: object, **more: object) -> None:
        publish(*args, **more)  # type: ignore[arg-type]  # handed on as it came
        told.say(f"published {plane.intent.revision}")

    plane.cache.publish = publishing  # type: ignore[method-assign, assignment]  # to note what leaves, and when
    await plane.start()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(plane.run())
        for turn in range(2):
            for number in range(3):
                name = f"web-{turn}-{number}"
                receipts = await plane.submit(
                    [
                        Declaration(Put(instance(each, f"v{number}", weight=turn + 1)), "api:test")
                        for each in (name, f"{name}-twin")
                    ]
                )
                told.say(f"acked {name} {name}-twin at {max(receipt.revision for receipt in receipts)}")  # type: ignore[union-attr]  # all are receipts
            plane.note("health", name, {"health": Health.HEALTHY}, {"health": Health.UNHEALTHY}, "check")
            for gone in (f"web-{turn}-2", f"web-{turn}-2-twin"):
                await plane.declare(Declaration(Delete(Ref(Kind.INSTANCE, gone)), "api:test", operator=True))
                told.say(f"gone {gone}")
            async with asyncio.timeout(5):
                while not plane._loop._preserver.is_kept or plane._loop._pace.due() is not None:
                    await plane.wait_change(plane.changes)
            await plane.housekeeping.round()
            await plane.store_keeping.tidy()
            await plane.store_keeping.keep_now()
        running.cancel()
    await store.close()


def do(point: str, at: int, folder: Path, what: str) -> None:
    """Arm a failpoint and go where it is."""
    failpoints._armed = {point: ("kill", at)}
    if what == "restore":
        restore(folder / "backup.db", folder, SystemClock().wall())
    else:
        asyncio.run(live(folder))


def main() -> None:
    """Fork for each line, and answer with how it ended."""
    warm_up()
    print("ready", flush=True)  # noqa: T201 - what this program is for
    for line in sys.stdin:
        point, at, folder, what = line.split()
        child = os.fork()
        if not child:
            do(point, int(at), Path(folder), what)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    main()
