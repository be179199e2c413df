"""The xDS protocol as values: requests and time go in, events and responses come out.

No socket, no clock, no chance, no logging: a conversation is replayed by calling it again. It speaks of names,
versions and bytes; what a resource means is none of its business. Rules are cited as docs number them, from the xDS
protocol (envoyproxy.io, "xDS REST and gRPC protocol").
"""

from __future__ import annotations

from .delta import DeltaExchange
from .requests import Answer, DeltaRequest, Event, HeldBack, Outgoing, Overdue, StateRequest
from .session import Offer, Session
from .sotw import StateExchange

__all__ = [
    "Answer",
    "DeltaExchange",
    "DeltaRequest",
    "Event",
    "HeldBack",
    "Offer",
    "Outgoing",
    "Overdue",
    "Session",
    "StateExchange",
    "StateRequest",
]
