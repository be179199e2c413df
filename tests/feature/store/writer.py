"""A program that writes to a store for ever and says, line by line, which revisions were acknowledged.

Usage: writer.py DATABASE [LIMIT], where LIMIT is the largest size in bytes that a file may grow to until the line
"full" was answered by a line on standard input.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.harness.declared import instance
from xds.control.ports import Commit, Entry, Kept, Receipt
from xds.model.intent import ref
from xds.model.problems import Unavailable
from xds.store.sqlite import SqliteStore


async def write(path: Path) -> None:
    """Commit batches of ten until the process is ended; after a refusal wait for a line, then go on."""
    store = SqliteStore(path)
    revision = (await store.load()).revision
    print("open", flush=True)  # noqa: T201 - what this program is for
    while True:
        try:
            await store.commit(batch(revision + 1))
        except Unavailable as error:
            print(f"full {revision} {error.code}", flush=True)  # noqa: T201 - what this program is for
            await asyncio.to_thread(sys.stdin.readline)
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            continue
        revision += 1
        print(revision, flush=True)  # noqa: T201 - what this program is for


def batch(revision: int) -> Commit:
    """Ten instances that carry the revision, among them new ones and changed ones, and a receipt."""
    instances = [instance(f"i{at}", labels={"at": str(revision)}) for at in range(5)]
    instances += [instance(f"r{revision}-{at}", labels={"at": str(revision)}) for at in range(5)]
    entries = tuple(Entry(ref(each), None, each, "api:writer") for each in instances)
    receipt = Receipt(ref(instances[-1]), instances[-1], revision)
    return Commit(revision, datetime.now(UTC), entries, (Kept(f"key-{revision}", "", receipt),))  # noqa: TID251 - no clock port here


if __name__ == "__main__":
    if len(sys.argv) > 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    asyncio.run(write(Path(sys.argv[1])))
