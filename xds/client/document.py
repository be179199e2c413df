"""What an application says of itself, as the document that the API takes, and the address that it gives itself."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from typing import Final, TypedDict
from urllib.parse import urlsplit

TTL: Final = 10.0  # seconds until silence counts; renewed in half of it

_START: Final = f"{os.getpid()}-{time.monotonic_ns()}"
"""What tells this process from the one that had its port before; no clock is compared, only equality."""


class Details(TypedDict, total=False):
    """What may be said of an instance beside its service and port; docs/registry.md explains each.

    `address` is left out where the address that reaches the control plane is the right one. `ttl` is in seconds: 10
    unless another is given, None for an instance that stays until it is taken out by word.
    """

    id: str
    address: str
    ports: Mapping[str, int]
    version: str
    weight: int
    region: str
    zone: str
    env: str
    labels: Mapping[str, str]
    metadata: Mapping[str, str]
    ingress: str
    check: Mapping[str, object]
    ttl: float | None


def document(service: str, port: int | None, details: Mapping[str, object], url: str) -> dict[str, object]:
    """Return the registration of an instance; `port` None leaves it to the named `ports` of the details."""
    said: dict[str, object] = {"service": service, "ttl": TTL, "start": _START, **details}
    if port is not None:
        said["port"] = port
    if "address" not in said:
        said["address"] = own_address(url)
    return said


def own_address(url: str) -> str:
    """Return this host's address on the way to the control plane at `url`; 127.0.0.1 when there is no way.

    A datagram socket is connected and sends nothing: the kernel only looks its routes up.
    """
    target = urlsplit(url)
    port = target.port or (443 if target.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(target.hostname or "127.0.0.1", port, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(address)
            return str(probe.getsockname()[0]).partition("%")[0]
    except OSError:
        return "127.0.0.1"
