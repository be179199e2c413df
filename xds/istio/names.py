"""Istio's hosts as services of ours: `reviews.prod.svc.cluster.local` is `reviews`, of the namespace `prod`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_CLUSTER: Final = re.compile(r"([a-z0-9-]+)\.([a-z0-9-]+)\.svc(?:\.[a-z0-9.-]+)?\Z")
_NOT_IN_IDS: Final = re.compile(r"[^a-z0-9_-]+")
_TOTAL: Final = 10_000


def service(host: str) -> tuple[str, str]:
    """Return the service that a host is, and its namespace where the host names one."""
    found = _CLUSTER.match(host)
    return (found[1], found[2]) if found else (host, "")


def plain(name: str) -> str:
    """Return a name that can be part of a route's name."""
    return _NOT_IN_IDS.sub("-", name.lower()).strip("-_") or "route"


def percents(weights: Sequence[int]) -> list[float | int]:
    """Return weights as percent with two decimals that add up to 100; what rounding leaves goes to the largest."""
    total = sum(weights)
    shares = [weight * _TOTAL // total for weight in weights]
    shares[shares.index(max(shares))] += _TOTAL - sum(shares)
    return [share // 100 if share % 100 == 0 else share / 100 for share in shares]
