"""A proven container as what the control plane is told: an instance, with how its address was found.

Pure. `docker.*` in its metadata is for people: which container it is, the address chosen, and those rejected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from xds.labels.description import Description
from xds.model.check import Check
from xds.model.fusion import SILENT
from xds.model.health import Health
from xds.model.instance import Instance
from xds.model.labels import MAX_VALUE
from xds.model.signal import Signal
from xds.sources.docker.addresses import Candidate
from xds.sources.docker.facts import Facts


@dataclass(frozen=True, slots=True)
class Registration:
    """What is registered for one container. `instance.epoch` is the moment it started, on the engine's clock."""

    instance: Instance
    check: Check | None
    place: Candidate


def registration(said: Description, facts: Facts, place: Candidate, findings: Mapping[str, str]) -> Registration:
    """Return what to tell of a container that answers at `place`; InvalidInput for what no instance can be.

    `findings` go into its metadata as well: what was rejected, and what is wrong with its labels.
    """
    own = {
        "docker.container": facts.name or facts.id[:12],
        "docker.image": facts.image,
        "docker.address": f"{place.address}: {place.way}",
        **findings,
    }
    metadata = dict(said.metadata) | {key: _line(value) for key, value in own.items() if value}
    found = said.instance(place.address, ports=place.ports, ingress=place.ingress)
    instance = replace(found, metadata=metadata, epoch=facts.started)
    check = said.check
    if check is not None and (check.port is not None or place.ingress is not None):
        check = replace(check, port=place.asked.port)  # the port that leads to the labelled one from there
    return Registration(instance, check, place)


def signal(facts: Facts) -> Signal | None:
    """Return what the engine's own check of a container says of its instance; None while it does not know yet."""
    if facts.health == "healthy":
        return Signal(Health.HEALTHY, "its HEALTHCHECK says healthy")
    if facts.health != "unhealthy":
        return None
    why = "its HEALTHCHECK " + ("comes to no end" if facts.unanswered else "says unhealthy")
    numbers = {SILENT: 1.0} if facts.unanswered else {}
    return Signal(Health.UNHEALTHY, _line(f"{why}: {facts.ailment}" if facts.ailment else why), numbers)


def _line(text: str) -> str:
    """Return text that metadata can hold: one line, of bounded length."""
    plain = "".join(char if char.isprintable() else "?" for char in text)
    return plain if len(plain) <= MAX_VALUE // 4 else f"{plain[: MAX_VALUE // 4 - 3]}..."
