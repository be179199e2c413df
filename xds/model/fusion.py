"""What several sources' words about one instance come to, and whose word decided.

The worst word counts, save where another source knows better: who was asked and answered is not dead because its lease
ran out, and whom Envoys reach is not gone because our own question got no answer. Pure; time and damping are known
elsewhere. The picture with every number and its reason is docs/health.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from xds.model.health import Health
from xds.model.signal import Signal

LEASE: Final = "lease"
CHECK: Final = "check"
TRAFFIC: Final = "traffic"
RUNTIME: Final = "runtime"
NOBODY: Final = "nobody"
SILENT: Final = "silent"
"""The number of a word that is 1 where nobody answered at all: it may be the asker's own way there that is cut."""

_WORST_FIRST: Final = (Health.DRAINING, Health.STARTING, Health.UNHEALTHY, Health.UNSTABLE, Health.HEALTHY)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The effective health, the source that decided and its word; of those `overruled` others knew better."""

    health: Health
    source: str
    signal: Signal
    overruled: tuple[str, ...] = ()


UNHEARD: Final = Verdict(Health.HEALTHY, NOBODY, Signal(Health.HEALTHY, "nobody says otherwise"))
UNASKED: Final = Verdict(Health.STARTING, CHECK, Signal(Health.STARTING, "not ready yet: it has not been asked"))


def fuse(words: Mapping[str, Signal], *, gated: bool = False) -> Verdict:
    """Return what the words come to. `gated`: it has a check and was never ready, so that only the check can open."""
    check = words.get(CHECK)
    if gated and (check is None or check.health not in {Health.HEALTHY, Health.UNSTABLE}):
        return UNASKED if check is None else Verdict(Health.STARTING, CHECK, check)
    heard = dict(words)
    overruled: list[str] = []
    if check is not None and check.health.serves and LEASE in heard:
        del heard[LEASE]
        overruled.append(LEASE)
    traffic = words.get(TRAFFIC)
    for asker in (CHECK, RUNTIME) if traffic is not None and traffic.health is Health.HEALTHY else ():
        word = words.get(asker)
        if word is not None and word.numbers.get(SILENT):
            heard[asker] = replace(word, health=Health.UNSTABLE)
            overruled.append(asker)
    if not heard:
        return replace(UNHEARD, overruled=tuple(overruled))
    source, signal = min(heard.items(), key=lambda word: (_WORST_FIRST.index(word[1].health), word[0]))
    return Verdict(signal.health, source, signal, tuple(overruled))
