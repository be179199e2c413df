"""Backup and restore of a data folder: a copy that is proved, and a return to one that nobody's writes get under.

A backup may be made while a control plane runs; a restore may not, and what was there is set aside whole.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from xds.control.failpoints import failpoint
from xds.model.problems import InvalidInput, Unavailable
from xds.store import backup, doubt, lock, migrations
from xds.store.settings import DATABASE, LAST_GOOD


@dataclass(frozen=True, slots=True)
class Summary:
    """What a database holds, for people: its schema, its revision, and how many objects and lines of the journal."""

    schema: int
    revision: int
    objects: int
    lines: int


def make_backup(data: Path, target: Path) -> Summary:
    """Copy the database of a data folder to `target`, read it back and say what is in it; Unavailable when it fails."""
    path = data / DATABASE
    if not path.is_file():
        raise InvalidInput(f"{path} does not exist: there is nothing to back up", pointer="/data_dir")
    if target.exists():
        raise InvalidInput(f"{target} exists: a backup replaces nothing", pointer="")
    try:
        with closing(_open(path)) as db:
            _check(db, path)
            backup.copy(db, target)
        return examine(target)
    except (sqlite3.Error, OSError) as error:
        raise Unavailable(f"{path} could not be backed up to {target}: {error}", code="store") from error


def examine(path: Path) -> Summary:
    """Read a backup from end to end and say what is in it.

    Unavailable when it is damaged, or of a newer release; InvalidInput when it is none of ours.
    """
    try:
        with closing(_open(path)) as db:
            _check(db, path)
            backup.verify(db, path)
            objects, lines = (db.execute(f"SELECT count(*) FROM {each}").fetchone()[0] for each in ("state", "journal"))  # noqa: S608 - two constants
            return Summary(migrations.version(db), _revision(db), int(objects), int(lines))
    except sqlite3.Error as error:
        raise InvalidInput(f"{path} is no backup of Fairlead's: {error}", pointer="") from error


def restore(source: Path, data: Path, now: datetime) -> tuple[Summary, Path | None]:
    """Put a backup in place of a data folder's database; return what is in it, and where the one before was set aside.

    Refused, with everything as it was: Unavailable while a control plane runs on that folder, or for a backup that is
    damaged or of a newer release. Revisions go on above those of both, so that nobody takes old for new.
    """
    path = data / DATABASE
    held = lock.hold(path)
    try:
        found = examine(source)
        part = path.with_name(path.name + ".part")
        backup.remove(part)
        shutil.copyfile(source, part)
        with closing(sqlite3.connect(part, isolation_level=None)) as db:
            db.execute("UPDATE revision SET value = max(value, ?)", (_last_revision(path) + 1,))
        aside = _set_aside(path, data / LAST_GOOD, now)
        failpoint("restore.aside")
        backup.place(part, path)
        failpoint("restore.placed")
        return found, aside
    except OSError as error:
        raise Unavailable(f"{source} could not be restored to {data}: {error}", code="store") from error
    finally:
        held.close()


def _set_aside(path: Path, last_good: Path, now: datetime) -> Path | None:
    """Move the database and the last known good state aside: the operator's word counts from now on, not theirs."""
    if not path.exists() and not last_good.exists():
        return None
    folder = doubt.set_aside(path, now)
    if last_good.exists():
        last_good.replace(folder / last_good.name)
        backup.sync(path.parent)
    return folder


def _last_revision(path: Path) -> int:
    """Return the revision of the database that is replaced, as far as it can still be read."""
    with suppress(sqlite3.Error), closing(_open(path)) as db:
        return _revision(db)
    return 0


def _check(db: sqlite3.Connection, path: Path) -> None:
    if migrations.is_new(db, path):
        raise InvalidInput(f"{path} is empty", pointer="")


def _revision(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT value FROM revision").fetchone()[0])


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)
