"""What a node may call: names of services, as its metadata or a label lists them.

A name stands for itself and for what lies below it: `web` is the service `web`, its named ports (`web.admin`) and any
service called `web.…`. Knows text and names; refuses to know which services there are, since one may come later.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from xds.model.names import check_id
from xds.model.problems import InvalidInput

UPSTREAMS = "fairlead.upstreams"
"""The label, on an instance or its service, that lists what the sidecar of the instance may call."""
EVERYTHING = ("*",)
MAX_UPSTREAMS = 256

UpstreamNames = tuple[str, ...]
"""Names in order, each once; empty for nothing at all, `EVERYTHING` for whatever the environment has."""


def parse_upstreams(value: object, *, pointer: str) -> UpstreamNames | None:
    """Read a list of names, or text with commas between them; None where it is absent or empty and so says nothing.

    `*` among them is `EVERYTHING`. InvalidInput for a name that no service can have, and for too many.
    """
    if value is None:
        return None
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, Sequence):
        raise InvalidInput("upstreams are a list of names, or text with commas between them", pointer=pointer)
    names = {str(item).strip() for item in value} - {""}
    if not names:
        return None
    if len(names) > MAX_UPSTREAMS:
        raise InvalidInput(f"{len(names)} upstreams, at most {MAX_UPSTREAMS} can be named", pointer=pointer)
    if names & set(EVERYTHING):
        return EVERYTHING
    return tuple(sorted(check_id(name, pointer=pointer, what="upstream") for name in names))


def covers(names: Container[str], service: str) -> bool:
    """Say whether one of `names` is the service, or stands above it."""
    while service not in names:
        service, dot, _ = service.rpartition(".")
        if not dot:
            return False
    return True
