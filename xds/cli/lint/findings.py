"""What lint finds, and how it is written: for people, for programs, and as annotations of a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from xds.cli.documents import Document, Spot
from xds.model.problems import Severity

_ESCAPED: Final = (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"))
_PARAMETER: Final = ((":", "%3A"), (",", "%2C"))


class Level(StrEnum):
    """How bad it is: an error keeps something out, a warning costs a part of it, a notice costs nothing."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"

    @classmethod
    def of(cls, severity: Severity) -> Level:
        """Return the level of a problem."""
        return cls.ERROR if severity is Severity.ERROR else cls.WARNING


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing, with its place; `subject` is a label, a field or nothing."""

    file: str
    spot: Spot
    level: Level
    message: str
    subject: str = ""

    @classmethod
    def at(cls, document: Document, pointer: str, level: Level, message: str, subject: str = "") -> Finding:
        """Return a finding at a field of a document."""
        return cls(document.file, document.spot(pointer), level, message, subject)

    def text(self) -> str:
        """Return it as compilers write: `file:line:column: level: subject: message`."""
        words = f"{self.subject}: {self.message}" if self.subject else self.message
        return f"{self.file}:{self.spot.line}:{self.spot.column}: {self.level}: {words}"

    def annotation(self) -> str:
        """Return it as a workflow command of GitHub Actions."""
        place = f"file={_escaped(self.file, parameter=True)},line={self.spot.line},col={self.spot.column}"
        title = f",title={_escaped(self.subject, parameter=True)}" if self.subject else ""
        return f"::{self.level} {place}{title}::{_escaped(self.message)}"

    def document(self) -> dict[str, object]:
        """Return it for programs."""
        return {
            "file": self.file,
            "line": self.spot.line,
            "column": self.spot.column,
            "level": self.level.value,
            "subject": self.subject,
            "message": self.message,
        }


def worst(findings: Iterable[Finding]) -> Level:
    """Return the worst level among findings, a notice for none."""
    order = list(Level)
    return min((finding.level for finding in findings), key=order.index, default=Level.NOTICE)


def counted(findings: Sequence[Finding]) -> str:
    """Return how many there are of each level, as a sentence."""
    parts = [(level, sum(finding.level is level for finding in findings)) for level in Level]
    return ", ".join(f"{count} {level}{'s' * (count > 1)}" for level, count in parts if count) or "nothing found"


def _escaped(text: str, *, parameter: bool = False) -> str:
    for sign, code in (*_ESCAPED, *(_PARAMETER if parameter else ())):
        text = text.replace(sign, code)
    return text
