"""Breakers and limits: from documents to values of the model, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Literal

from xds.api.convert.weights import maybe_duration
from xds.api.schemas.breaker import BreakerModel, ForcedOut, ForceIn, LimitsIn, LimitsOut
from xds.control.plane import ControlPlane
from xds.model.breaker import Forced, ForcedState, Limits, Rule
from xds.model.service import Service


def breaker_of(document: BreakerModel | None) -> Rule | Literal[False] | None:
    """Return the rule of a document as it was said, so that what it leaves out follows the defaults of any release."""
    if document is None:
        return None
    return document.model_dump(exclude_unset=True, exclude={"enabled"}) if document.enabled else False


def limits_of(document: LimitsIn | None) -> Limits | None:
    """Return the limits of a document."""
    return None if document is None else Limits(**document.model_dump())


def limits_out(limits: Limits | None) -> LimitsOut | None:
    """Return limits as a document."""
    return None if limits is None else LimitsOut(**asdict(limits))


def forced_of(document: ForceIn, by: str) -> Forced:
    """Return what a document asks to hold a breaker at."""
    return Forced(ForcedState(document.force), by, document.reason, document.expires_in)


def forced_out(plane: ControlPlane, service: Service) -> Mapping[str, ForcedOut]:
    """Return the breakers of a service that operators hold, by subset."""
    return {
        subset: ForcedOut(
            force=held.state.value, by=held.by, reason=held.reason, expires_in=_left(plane, service, subset)
        )
        for subset, held in service.forced.items()
    }


def _left(plane: ControlPlane, service: Service, subset: str) -> str | None:
    left = plane.forced_for(service.key, subset)
    return maybe_duration(None if left is None else float(math.ceil(left)))
