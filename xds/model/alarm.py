"""An alarm: something that a person should know of while it lasts, with how soon he should.

It knows what is wrong and with what; who is told, and how, is decided elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Priority(IntEnum):
    """How soon somebody has to look: lower numbers first, as pagers count."""

    PAGE = 1
    TICKET = 2
    NOTE = 3


@dataclass(frozen=True, slots=True, order=True)
class Alarm:
    """One thing that is wrong now.

    `kind` is a stable slug (`hold`, `shrink`, `flapping`, `duplicate`, `stale_source`, `nack`, ...), `object` what it
    is about, as text (`default/web`, an instance's id, a node's). An alarm is the same alarm while kind and object are;
    `message` may change meanwhile.
    """

    kind: str
    object: str
    message: str
    priority: Priority = Priority.TICKET
