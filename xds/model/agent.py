"""An agent: a program on a host that tells what runs there, and who it says it is.

What is known of an agent from watching it (when it was heard, how late it is) is known elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from xds.model.instance import MAX_COUNT, MAX_TTL, MIN_TTL, check_host
from xds.model.names import check_id
from xds.model.problems import InvalidInput

DEFAULT_TTL = 10.0
MAX_VERSION = 64


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent. `epoch` counts its incarnations, `seq` the messages of one; `ttl` is its lease in seconds."""

    id: str
    ip: str
    role: str = "agent"
    version: str = ""
    epoch: int = 0
    seq: int = 0
    ttl: float = DEFAULT_TTL

    def __post_init__(self) -> None:
        """Refuse what no agent can be, with a pointer to the field."""
        check_id(self.id, pointer="/id")
        check_host(self.ip, pointer="/ip")
        check_id(self.role, pointer="/role", what="role")
        if len(self.version) > MAX_VERSION or not self.version.isprintable():
            raise InvalidInput(f"version is not up to {MAX_VERSION} printable characters", pointer="/version")
        if not MIN_TTL <= self.ttl <= MAX_TTL:  # NaN fails both comparisons
            raise InvalidInput(f"ttl {self.ttl} is not between {MIN_TTL:g} and {MAX_TTL:g} seconds", pointer="/ttl")
        for name in ("epoch", "seq"):
            if not 0 <= getattr(self, name) <= MAX_COUNT:
                raise InvalidInput(f"{name} is not between 0 and {MAX_COUNT}", pointer=f"/{name}")
