"""Who may call a service: names of services, addresses and prefixes, as its policy or a label lists them.

A name stands for itself and for what lies below it (`web` for `web.admin`, too), as the upstreams of `reach` do. Knows
text; refuses to know which instances a name has now.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

from xds.model.names import check_id
from xds.model.problems import InvalidInput
from xds.model.reach import EVERYTHING

ALLOW_FROM: Final = "fairlead.allow-from"
"""The label, on an instance or its service, that lists who may call the service."""
MAX_CALLERS: Final = 256

Callers = tuple[str, ...]
"""Names, and prefixes in canonical spelling (`10.0.0.9/32`), in order; empty for nobody."""


def parse_callers(value: Sequence[str], *, pointer: str) -> Callers | None:
    """Read a list of names, addresses and prefixes; None where `*` is among them, so that everybody may call.

    InvalidInput for what is none of these, and for too many.
    """
    if len(value) > MAX_CALLERS:
        raise InvalidInput(f"{len(value)} callers, at most {MAX_CALLERS} can be named", pointer=pointer)
    if set(value) & set(EVERYTHING):
        return None
    return tuple(sorted({prefix_of(item) or check_id(item, pointer=pointer, what="caller") for item in value}))


def prefix_of(caller: str) -> str:
    """Return an address or a prefix in canonical spelling, "" for what is a name."""
    try:
        return str(ipaddress.ip_network(caller))
    except ValueError:
        return ""
