"""A finding of the doctor: what was looked at, how it stands, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """OK; NOTE for what may well be meant so; WARNING for what will hurt later; ERROR for what does not work now."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `fix` says in words what to do, "" where nothing is to be done."""

    about: str
    level: Level
    says: str
    fix: str = ""

    def document(self) -> dict[str, str]:
        """Return it for programs."""
        return {"about": self.about, "level": self.level.value, "says": self.says, "fix": self.fix}


def ok(about: str, says: str) -> Finding:
    """Return that something is well."""
    return Finding(about, Level.OK, says)


def note(about: str, says: str, fix: str = "") -> Finding:
    """Return something that may well be meant so."""
    return Finding(about, Level.NOTE, says, fix)


def warning(about: str, says: str, fix: str) -> Finding:
    """Return something that will hurt later."""
    return Finding(about, Level.WARNING, says, fix)


def error(about: str, says: str, fix: str) -> Finding:
    """Return something that does not work now."""
    return Finding(about, Level.ERROR, says, fix)
