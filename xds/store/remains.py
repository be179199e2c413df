"""What is served though nothing declares it, and who is not healthy, as rows: replaced as a whole, best effort to read.

A row that cannot be read is left out: it costs what it would have kept, and nothing else.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

from xds.control.ports import Remains, Remnant
from xds.model.health import Health
from xds.model.instance import Instance
from xds.model.intent import Kind
from xds.model.problems import FairleadError
from xds.model.view import Member
from xds.store import rows
from xds.wire.types import ResourceType

CREATE = """
CREATE TABLE remains (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, variant TEXT NOT NULL,
                      body BLOB NOT NULL);
"""
_LEAVING, _HELD, _AILING = "leaving", "held", "ailing"  # `variant` of the latter two is the instance's health
_TYPES = {type_.short: type_ for type_ in ResourceType}

_Row = tuple[str, str, str, bytes]


def replace(db: sqlite3.Connection, remains: Remains) -> None:
    """Write `remains` in place of what is there, in the caller's transaction."""
    db.execute("DELETE FROM remains")
    db.executemany("INSERT INTO remains VALUES (NULL, ?, ?, ?, ?)", _rows(remains))


def load(db: sqlite3.Connection) -> Remains:
    """Return what is there."""
    resources: list[Remnant] = []
    leaving: list[Instance] = []
    held: list[Member] = []
    ailing: dict[str, Health] = {}
    for kind, name, variant, body in db.execute("SELECT kind, name, variant, body FROM remains ORDER BY id"):
        if kind in _TYPES:
            resources.append(Remnant(_TYPES[kind], name, variant, body))
            continue
        with contextlib.suppress(FairleadError, ValueError):
            if kind == _AILING:
                ailing[name] = Health(variant)
                continue
            instance = rows.read(Kind.INSTANCE, body)
            if isinstance(instance, Instance) and kind == _LEAVING:
                leaving.append(instance)
            elif isinstance(instance, Instance) and kind == _HELD:
                held.append(Member(instance, Health(variant), held=True))
    return Remains(tuple(resources), tuple(leaving), tuple(held), ailing)


def _rows(remains: Remains) -> Iterator[_Row]:
    for remnant in remains.resources:
        yield remnant.type.short, remnant.name, remnant.variant, remnant.value
    for instance in remains.leaving:
        yield _LEAVING, instance.id, "", rows.write(Kind.INSTANCE, instance)
    for member in remains.held:
        yield _HELD, member.instance.id, member.health.value, rows.write(Kind.INSTANCE, member.instance)
    for name, health in remains.ailing.items():
        yield _AILING, name, health.value, b""
