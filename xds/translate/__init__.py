"""From intent to Envoy: frozen views in, encoded resources out.

Pure: the same views give the same bytes, on every machine, in every order of arrival. Knows services, routes and
Envoy's vocabulary; refuses to know streams, nodes, versions and time. Exports are lazy, so that the names of resources
(`naming`) cost nothing but themselves.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .build import Builder
    from .outputs import Built, FilterSpec, Output, OutputKey

_HOME = {"Builder": "build", "Built": "outputs", "FilterSpec": "outputs", "Output": "outputs", "OutputKey": "outputs"}

__all__ = ["Builder", "Built", "FilterSpec", "Output", "OutputKey"]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
