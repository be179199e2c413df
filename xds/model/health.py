"""What is known of an instance's ability to serve, and what that makes of its traffic."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Health(StrEnum):
    """The effective health of one instance.

    UNHEALTHY instances stay in EDS so that Envoy's panic threshold can work; DRAINING ones leave it (under panic
    a host that is marked in place still takes new requests, a removed one only finishes what it has). STARTING ones
    have a check that they did not pass yet, and are not in EDS at all.
    """

    STARTING = "starting"

    __hash__ = str.__hash__  # an Enum's own is written in Python, and sets of these are asked about every member

    HEALTHY = "healthy"
    UNSTABLE = "unstable"
    UNHEALTHY = "unhealthy"
    DRAINING = "draining"

    @property
    def serves(self) -> bool:
        """Say whether new requests may go there on purpose."""
        return self is HEALTHY or self is UNSTABLE


HEALTHY: Final = Health.HEALTHY
UNSTABLE: Final = Health.UNSTABLE
UNHEALTHY: Final = Health.UNHEALTHY
DRAINING: Final = Health.DRAINING
STARTING: Final = Health.STARTING
"""The same by names of their own, for what is asked of every member: Python 3.11 finds those above by a call."""
