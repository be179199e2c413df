"""Overlays: from documents to values of the model, and back."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timedelta

from xds.api.convert.pointers import renamed
from xds.api.convert.weights import maybe_duration
from xds.api.schemas.overlay import OverlayIn, OverlayOut, OverlayThen
from xds.control.plane import ControlPlane
from xds.model.intent import ref
from xds.model.names import ServiceKey, check_id
from xds.model.overlay import Act, Overlay
from xds.model.problems import InvalidInput
from xds.model.selector import Operator, Requirement, Selector


def overlay_of(document: OverlayIn, name: str, env: str, owner: str, now: datetime) -> Overlay:
    """Return the overlay of a document that is said `now`."""
    act, lasts = Act(document.act), document.expires_in
    is_pin = act is Act.PIN
    for field in ("instance", "selector") if is_pin else ():
        if getattr(document, field):
            raise InvalidInput("what is pinned is a service, to a version", pointer=f"/{field}")
    with renamed({"/lasts": "/expires_in"}):
        return Overlay(
            id=name,
            act=act,
            env=env,
            selector=Selector() if is_pin else _picked(document),
            service=(document.service or "") if is_pin else "",
            version=(document.version or "") if is_pin else "",
            weight=document.weight,
            reason=document.reason,
            lasts=lasts,
            until=None if lasts is None or not math.isfinite(lasts) else _moment(now, lasts),
            owner=owner,
        )


def overlay_out(plane: ControlPlane, overlay: Overlay, *, revision: int | None = None) -> OverlayOut:
    """Return an overlay as a document, with what it picks at the moment."""
    left = plane.overlaid_for(overlay.id)
    return OverlayOut(
        **dict(overlay_then(overlay)),
        expires_in=maybe_duration(None if left is None else float(math.ceil(left))),
        instances=len(plane.intent.index.select(_concerned(overlay))),
        revision=plane.intent.revisions.get(ref(overlay), 0) if revision is None else revision,
    )


def overlay_then(overlay: Overlay) -> OverlayThen:
    """Return an overlay as it was said, without what it picks or how long it has left."""
    return OverlayThen(
        id=overlay.id,
        env=overlay.env,
        act=overlay.act.value,
        selector=str(overlay.selector),
        service=overlay.service,
        version=overlay.version,
        weight=overlay.weight,
        reason=overlay.reason,
        owner=overlay.owner,
        until=None if overlay.until is None else overlay.until.isoformat(timespec="seconds"),
    )


def overlays_of(plane: ControlPlane, key: ServiceKey) -> list[OverlayOut]:
    """Return the overlays that decide something of a service, by id."""
    table, instances = plane.intent.overlays, plane.intent.instances
    found = {overlay.id: overlay for member in plane.intent.members_of(key) for overlay in table.on(instances[member])}
    if (pin := table.pin(key)) is not None:
        found[pin.id] = pin
    return [overlay_out(plane, found[name]) for name in sorted(found)]


def _picked(document: OverlayIn) -> Selector:
    """Return everything that a document says of instances as one selector."""
    named = {"id": document.instance, "service": document.service, "version": document.version}
    pointers = {"id": "/instance", "service": "/service", "version": "/version"}
    own = tuple(
        Requirement(fact, Operator.IN, (check_id(value, pointer=pointers[fact], what=fact),))
        for fact, value in named.items()
        if value is not None
    )
    return Selector(own) & Selector.parse(document.selector, pointer="/selector")


def _concerned(overlay: Overlay) -> Selector:
    if overlay.pinned is None:
        return overlay.within
    facts: Iterable[tuple[str, str]] = (("service", overlay.service), ("version", overlay.version))
    return overlay.within & Selector(tuple(Requirement(fact, Operator.IN, (value,)) for fact, value in facts))


def _moment(now: datetime, lasts: float) -> datetime | None:
    try:
        return now + timedelta(seconds=lasts)
    except OverflowError:
        return None  # longer than any overlay may last: the model refuses it, with the field
