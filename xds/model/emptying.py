"""What would be left without anybody to serve it, were some instances to get no more requests.

The same question is asked of an operator's drain and of files that no longer name an instance. Knows an intent as it
stands; refuses to know who asks, and what is done about the answer.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from xds.model.intent import Intent
from xds.model.names import ServiceKey


class Emptied(NamedTuple):
    """A subset that has users and somebody who serves them, and would have nobody."""

    service: ServiceKey
    subset: str

    def __str__(self) -> str:
        """Return `env/service subset`, as people read it."""
        return f"{self.service} {self.subset}"


def emptied(intent: Intent, lost: Collection[str]) -> list[Emptied]:
    """Return the subsets with users that only the instances `lost` serve, in order."""
    services = {intent.instances[member].service for member in lost if member in intent.instances}
    return sorted(found for service in services for found in _of(intent, service, lost))


def _of(intent: Intent, key: ServiceKey, lost: Collection[str]) -> list[Emptied]:
    view = intent.view(key)
    if view is None:
        return []
    wanted = {*intent.wanted(key), *view.service.split.weights}
    found = []
    for subset in wanted & view.subsets.keys():
        serving = [member.instance.id for member in view.subsets[subset] if member.serves]
        if serving and all(member in lost for member in serving):
            found.append(Emptied(key, subset))
    return found
