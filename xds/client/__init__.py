"""What an application imports to be known to Fairlead: register, stay registered, leave.

    from xds.client import Fairlead

    with Fairlead("http://127.0.0.1:15080") as fairlead:
        fairlead.register("web", port=8080, version="v1")
        serve()

It stands alone: nothing of the server is imported, and nothing but httpx is needed. `AsyncFairlead` is the same for
asyncio. See docs/registry.md.
"""

from __future__ import annotations

from xds.client.aio import AsyncFairlead
from xds.client.document import Details
from xds.client.errors import (
    Busy,
    ClientError,
    Forbidden,
    Invalid,
    Refused,
    RegisterAgain,
    StaleEpoch,
    Unauthenticated,
    Unreachable,
)
from xds.client.keeper import Registration, State
from xds.client.sync import Fairlead, exit_on_sigterm

__all__ = [
    "AsyncFairlead",
    "Busy",
    "ClientError",
    "Details",
    "Fairlead",
    "Forbidden",
    "Invalid",
    "Refused",
    "RegisterAgain",
    "Registration",
    "StaleEpoch",
    "State",
    "Unauthenticated",
    "Unreachable",
    "exit_on_sigterm",
]
