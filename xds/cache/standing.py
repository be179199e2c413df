"""How a node stands to each resource that it asks for: what is published against what it was sent and said to it.

The management server's view and the client's, in the words of the client status discovery service (csds.proto,
config_dump_shared.proto; rule 37). Pure: a type's state and its group's view in, one line per name out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import NamedTuple

from .resource import Held, Resource
from .snapshot import View
from .typestate import Nack, TypeState


class ConfigStatus(StrEnum):
    """What the control plane knows of a resource at a node; the names are those of ConfigStatus in csds.proto."""

    SYNCED = "synced"
    """The node was sent the present content and accepted it."""
    NOT_SENT = "not_sent"
    """It was not sent the present content: there is none, or that is owed, held back, or waits behind a gate."""
    STALE = "stale"
    """It was sent the present content and has not answered."""
    ERROR = "error"
    """It refused the present content, and is not sent that again until it changes."""


class ClientStatus(StrEnum):
    """What the node makes of it; the names are those of ClientResourceStatus in config_dump_shared.proto."""

    REQUESTED = "requested"
    """It asked, and has accepted no content yet."""
    DOES_NOT_EXIST = "does_not_exist"
    """It asked for something that there is not, and nothing more will be said to it."""
    ACKED = "acked"
    """It holds a content that it accepted, be it an older one."""
    NACKED = "nacked"
    """It refused a content, and no answer has settled that."""
    RECEIVED_ERROR = "received_error"
    """It was told why there is no such resource."""


class Standing(NamedTuple):
    """One resource of one node.

    `resource`: what is published under the name in the node's group, None if nothing; `held`: what the node accepted;
    `refusal`: its unsettled refusal of a response with this name, in its words.
    """

    name: str
    status: ConfigStatus
    client: ClientStatus
    resource: Resource | None
    held: Held | None
    refusal: Nack | None


def standings(state: TypeState, view: View) -> list[Standing]:
    """Return how a node stands to each name of a type that it asks for or still holds, in order of name.

    `view` is what the node's group sees of the type. Costs the names, at once: keep nothing of `state` across an await.
    """
    sent, acked, refused = state.sent, state.acked, state.refused
    owed = state.progress.owed if state.progress is not None else ()
    found: list[Standing] = []
    for name in _names(state, view, sent):
        resource, held, refusal = view.find(name), acked.get(name), refused.get(name)
        status = _status(resource, sent.get(name), held, refusal.versions[name] if refusal is not None else None)
        client = _client(name, resource, held, refusal, owed)
        found.append(Standing(name, status, client, resource, held, refusal))
    return found


def _names(state: TypeState, view: View, sent: Iterable[str]) -> Iterable[str]:
    if not state.wildcard:
        return sorted(state.names)
    there = view.all()
    others = {name for names in (state.names, sent, state.acked) for name in names if name not in there}
    return sorted((*there, *others)) if others else there


def _status(resource: Resource | None, sent: Held | None, acked: Held | None, refused: Held | None) -> ConfigStatus:
    wanted = None if resource is None else resource.version
    if (None if sent is None else sent.version) != wanted:
        return ConfigStatus.NOT_SENT
    if refused is not None and refused.version == wanted:
        return ConfigStatus.ERROR
    if (None if acked is None else acked.version) != wanted:
        return ConfigStatus.STALE
    return ConfigStatus.NOT_SENT if wanted is None else ConfigStatus.SYNCED


def _client(
    name: str, resource: Resource | None, held: Held | None, refusal: Nack | None, owed: Collection[str]
) -> ClientStatus:
    if refusal is not None:
        return ClientStatus.NACKED
    if held is not None:
        fails = resource is not None and resource.fails and held.version == resource.version
        return ClientStatus.RECEIVED_ERROR if fails else ClientStatus.ACKED
    return ClientStatus.DOES_NOT_EXIST if resource is None and name not in owed else ClientStatus.REQUESTED
