"""What can be declared, and how each of it is called: the kinds, and names that hold a kind and a key together."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from xds.model.gateway import Gateway
from xds.model.instance import Instance
from xds.model.overlay import Overlay
from xds.model.policy import ServicePolicy
from xds.model.rollout import Rollout
from xds.model.route import Route
from xds.model.service import Service


class Kind(StrEnum):
    """The kinds of declared objects."""

    __hash__ = str.__hash__  # an Enum's own is written in Python, and every table of objects is asked by kind

    INSTANCE = "instance"
    SERVICE = "service"
    ROUTE = "route"
    GATEWAY = "gateway"
    ROLLOUT = "rollout"
    OVERLAY = "overlay"
    POLICY = "policy"


INSTANCE: Final = Kind.INSTANCE
"""The kind of most objects: Python 3.11 makes a call to find a member of an Enum, and a registration needs it often."""

Declared = Instance | Service | Route | Gateway | Rollout | Overlay | ServicePolicy


class Ref(NamedTuple):
    """What a declared object is called everywhere: its kind and its key as text (`env/name`, or an id)."""

    kind: Kind
    key: str


def ref(declared: Declared) -> Ref:
    """Return the name of a declared object."""
    match declared:
        case Instance():
            return Ref(INSTANCE, declared.id)
        case Service():
            return Ref(Kind.SERVICE, str(declared.key))
        case Route():
            return Ref(Kind.ROUTE, str(declared.key))
        case Gateway():
            return Ref(Kind.GATEWAY, str(declared.key))
        case Rollout():
            return Ref(Kind.ROLLOUT, declared.id)
        case Overlay():
            return Ref(Kind.OVERLAY, declared.id)
        case ServicePolicy():
            return Ref(Kind.POLICY, str(declared.key))
