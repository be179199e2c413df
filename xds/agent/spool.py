"""What an agent keeps on disk: its book, so that a restart while cut off forgets nobody's end. See `ledger.py`.

The file is written whole and swapped in, so a crash leaves the one before. One that cannot be read is put aside and
told of, and the agent begins anew: the engine knows who is there, and leases end those who are not.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

VERSION: Final = 1
MAX_BYTES: Final = 8 << 20

_log = logging.getLogger(__name__)

Line = tuple[str, int, int, bool, str]


class Spool:
    """One file in a folder of the agent's own."""

    def __init__(self, folder: Path) -> None:
        """Name the file; nothing is opened yet."""
        self.path = folder / "agent.json"

    def read(self) -> list[Line]:
        """Return what was kept; nothing where there is none, or none that can be read."""
        try:
            with self.path.open("rb") as file:
                said = json.loads(file.read(MAX_BYTES))
            if said["version"] != VERSION:
                raise ValueError(f"version {said['version']!r}")
            return [_line(each) for each in said["entries"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            aside = self.path.with_suffix(".unreadable")
            _log.error("%s cannot be read (%s); it is kept as %s", self.path, error, aside.name)
            try:
                self.path.replace(aside)
            except OSError:
                _log.warning("%s could not be put aside", self.path)
            return []

    def write(self, entries: Iterable[object]) -> None:
        """Keep these in place of what was kept before; OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as file:
            json.dump({"version": VERSION, "entries": list(entries)}, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)


def _line(said: object) -> Line:
    match said:
        case [str(instance), int(epoch), int(seq), bool(leaving)]:  # as it was before agents followed several engines
            return instance, epoch, seq, leaving, ""
        case [str(instance), int(epoch), int(seq), bool(leaving), str(source)]:
            return instance, epoch, seq, leaving, source
    message = "an entry is not one"
    raise ValueError(message)
