"""Is the store to be believed? What it holds is compared with the last known good state, before anything is published.

A store that lost acknowledged writes, or much of what it held without a line in its journal that says why, is not
published: the last known good state is, and nothing is written until somebody has decided. Where the bad file goes is
decided here too: aside, whole, never over.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from pathlib import Path

from xds.control.ports import Loaded
from xds.model.intent import ref
from xds.store import backup
from xds.store.lastgood import Copy

LOST = 0.1  # of what the last known good state has, above which a loss that nothing explains is not believed


def doubt(db: sqlite3.Connection, loaded: Loaded, good: Copy) -> str:
    """Return why a store is not to be believed, "" when it is; `good` is the last known good state."""
    held = len(good.names)
    if not held:
        return ""
    if not loaded.objects and not loaded.revision:
        return f"the store is missing or empty, and held {held} objects at revision {good.revision}"
    if loaded.revision < good.revision:
        return (
            f"the store is at revision {loaded.revision}, and was at {good.revision}: "
            "it has lost writes that were acknowledged"
        )
    missing = good.names - {ref(declared) for declared, _ in loaded.objects}
    if len(missing) > LOST * held:
        missing -= _told(db, good.revision)
    if len(missing) <= LOST * held:
        return ""
    return f"{len(missing)} of {held} objects are missing in the store, and its journal does not say why"


def _told(db: sqlite3.Connection, since: int) -> set[tuple[str, str]]:
    """Return what the journal says was removed after a revision."""
    return set(db.execute("SELECT DISTINCT kind, key FROM journal WHERE revision > ? AND after IS NULL", (since,)))


def set_aside(path: Path, at: datetime) -> Path:
    """Move a database and its companions into a folder beside it that is named after the moment; return the folder."""
    folder = path.with_name(f"{path.name}.aside-{at:%Y%m%dT%H%M%S%f}Z")
    folder.mkdir()
    for each in backup.companions(path):
        if each.exists():
            each.replace(folder / each.name)
    backup.sync(path.parent)
    return folder
