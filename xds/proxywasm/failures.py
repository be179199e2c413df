"""How running a module ends badly: it is refused, or it fails in a call."""

from __future__ import annotations

from xds.proxywasm.contexts import LogLine


class Refused(Exception):
    """A module or configuration is not taken; the text says why and whose fault it is, `logs` what the guest said."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.logs: tuple[LogLine, ...] = ()


class Trapped(Exception):
    """The guest failed in a call; its machine is finished."""


class Stopped(Exception):
    """A host call may not go on: the guest exited, or called what this phase forbids. Ends the machine."""
