"""What several sources' words about one instance come to, and whose word decided.

The worst word counts. Time and damping are known elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping

from xds.model.health import Health
from xds.model.signal import Signal

_WORST_FIRST = (Health.DRAINING, Health.STARTING, Health.UNHEALTHY, Health.UNSTABLE, Health.HEALTHY)


def fuse(words: Mapping[str, Signal]) -> tuple[str, Signal] | None:
    """Return the source that decides and its word, or None when nobody says anything."""
    if not words:
        return None
    return min(words.items(), key=lambda word: (_WORST_FIRST.index(word[1].health), word[0]))
