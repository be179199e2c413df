"""A container as the agent on its host sees it, registered or not: what is told to people, and decides nothing.

What an instance is comes from its registration (`instance.py`); this says how it came to that, or why it did not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from xds.model.check import Check
from xds.model.problems import Problem

SHORT_ID: Final = 12  # digits of an id, as engines' own tools show them


class Standing(StrEnum):
    """How a container stands.

    REGISTERED, or why it is not: UNLABELLED (it did not opt in), REFUSED (its labels, or the control plane, say no),
    UNREADY (it has not answered yet), DRAINING (it was asked to stop), ENDED (it does not run), UNKNOWN (its engine did
    not say).
    """

    REGISTERED = "registered"
    UNLABELLED = "unlabelled"
    REFUSED = "refused"
    UNREADY = "unready"
    DRAINING = "draining"
    ENDED = "ended"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Sighting:
    """One container: `why` says in words what `standing` says in one.

    `address` is where it is registered and `way` how that was found; `rejected` are the other places, each with its
    reason. `check` is how it is asked, `healthcheck` its engine's own word. What it has not come to is "" or None.
    """

    id: str
    name: str
    standing: Standing
    why: str = ""
    image: str = ""
    service: str = ""
    env: str = ""
    version: str = ""
    instance: str = ""
    address: str = ""
    way: str = ""
    rejected: tuple[str, ...] = ()
    check: Check | None = None
    healthcheck: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @property
    def short_id(self) -> str:
        """Return its id as engines' own tools show it."""
        return self.id[:SHORT_ID]
