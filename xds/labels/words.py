"""The words that labels choose among, where the model has none of its own."""

from __future__ import annotations

from enum import StrEnum


class DockerHealth(StrEnum):
    """Whether the HEALTHCHECK of an image counts: where there is one, always (none: never healthy), or never."""

    USE = "use"
    REQUIRE = "require"
    IGNORE = "ignore"


class Entry(StrEnum):
    """How a version that nobody has seen comes in."""

    AUTO = "auto"
    MANUAL = "manual"
    OFF = "off"
